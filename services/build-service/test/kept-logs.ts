import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildId } from "@slipway/kernel";
import { fileObjects } from "@slipway/objects";
import type { Db } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { type LogPlaces, readLog } from "../src/log-reader.ts";
import { appendLog } from "../src/log-store.ts";
import type { BuildTables } from "../src/tables.ts";

export const day = 86_400_000;
/** More chunks than are read at a time, with characters of several bytes. */
export const printed = Array.from({ length: 200 }, (_, n) => `test | line ${n} of many\ntest | grüße ${n} 你好\n`);
export const forgottenText =
  "what this build printed was removed once logs are not kept any more (SLIPWAY_KEEP_BUILD_LOGS)\n";

type Ended = { readonly agoMs?: number; readonly phase?: string; readonly lines?: readonly string[] };

/** A database and a store for logs, and builds that ended with what they printed, a chunk each. */
export type KeptLogs = {
  readonly database: TestDatabase;
  readonly db: Db<BuildTables>;
  readonly places: LogPlaces;
  /** Default: a day ago, succeeded, with `printed`. Of its state there is as much as logs need. */
  ended(how?: Ended): Promise<BuildId>;
  /** Something else stands where the store was while this works. */
  storeAway(work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
};

export async function keptLogs(): Promise<KeptLogs> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-logs-"));
  const root = join(folder, "objects");
  const database = await testDatabase("build");
  const db = database.db<BuildTables>("build");
  let builds = 0;
  return {
    ...{ database, db, places: { db, objects: fileObjects({ root }) } },
    ended: async (how) => {
      builds += 1;
      return await endedBuild(db, builds, how);
    },
    async storeAway(work) {
      await rename(root, `${root}-away`);
      await writeFile(root, "no folder");
      try {
        await work();
      } finally {
        await rm(root);
        await rename(`${root}-away`, root);
      }
    },
    async close() {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function endedBuild(
  db: Db<BuildTables>,
  number: number,
  { agoMs = day, phase = "succeeded", lines = printed }: Ended = {},
): Promise<BuildId> {
  const id = `B-${number}` as BuildId;
  const at = sql`clock_timestamp() - ${agoMs}::bigint * interval '1 ms'`;
  const commit = "a".repeat(40);
  await sql`
    insert into build (number, id, service, git_sha, created_at) values (${number}, ${id}, 'small', ${commit}, ${at})`.execute(
    db,
  );
  await sql`
    insert into machine (kind, id, phase, state, version, generation, created_at, updated_at)
    values ('build', ${id}, ${phase}, '{}', 1, 1, ${at}, ${at})`.execute(db);
  for (const text of lines) await appendLog(db, id, text);
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
