import type { BuildId } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import { type LogPlaces, readLog } from "../src/log-reader.ts";
import { appendLog } from "../src/log-store.ts";
import type { BuildTables } from "../src/tables.ts";

const day = 86_400_000;

/** A build that ended so long ago, with what it printed, a chunk each. Of its state there is as much as logs need. */
export async function endedBuild(
  db: Db<BuildTables>,
  number: number,
  printed: readonly string[],
  { agoMs = day, phase = "succeeded" }: { readonly agoMs?: number; readonly phase?: string } = {},
): Promise<BuildId> {
  const id = `B-${number}` as BuildId;
  const at = sql`clock_timestamp() - ${agoMs}::bigint * interval '1 ms'`;
  await sql`
    insert into build (number, id, service, git_sha, created_at) values (${number}, ${id}, 'small', ${"a".repeat(40)}, ${at})`.execute(
    db,
  );
  await sql`
    insert into machine (kind, id, phase, state, version, generation, created_at, updated_at)
    values ('build', ${id}, ${phase}, '{}', 1, 1, ${at}, ${at})`.execute(db);
  for (const text of printed) await appendLog(db, id, text);
  await sql`update build_log set known_at = ${at} where build_id = ${id}`.execute(db);
  return id;
}

/** Whole, or from an offset on. */
export async function logText(places: LogPlaces, id: BuildId, from = 0): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of readLog(places, id, from)) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

/** Where a log is, as the database says. */
export async function whereabouts(db: Db<BuildTables>, id: BuildId) {
  const { object, object_length, forgotten } = await db
    .selectFrom("build_log")
    .selectAll()
    .where("build_id", "=", id)
    .executeTakeFirstOrThrow();
  const chunks = await db.selectFrom("build_log_chunk").selectAll().where("build_id", "=", id).orderBy("at").execute();
  return { object, object_length, forgotten, here: Buffer.concat(chunks.map(({ bytes }) => bytes)).toString("utf8") };
}
