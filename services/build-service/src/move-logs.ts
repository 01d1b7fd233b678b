import type { BuildId } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import { terminalPhases } from "./domain/decide.ts";
import { logObjectKey, packed } from "./log-object.ts";
import type { LogPlaces } from "./log-reader.ts";
import { readPart } from "./log-store.ts";
import type { BuildTables } from "./tables.ts";

/** What a program reads that knows chunks alone: of the version before, during an upgrade or after the way back from one. */
const forOlder = Buffer.from(
  "the log of this build is in the object store now (SLIPWAY_OBJECTS_URL), which this version of Slipway does not read: a newer one does\n",
);
const logsAtATime = 50;
/** Whoever claimed a log moves it within this, or another one does so as well: the two do the same. */
const claimMs = 10 * 60_000;

/**
 * Moves the logs of builds that ended so long ago, one after the other, and answers how many went. Each is an object first; then one transaction takes its
 * chunks away and notes where it is. Throws what keeps a log from moving; that one is the last to be tried again.
 */
export async function moveLogs(places: LogPlaces, endedMs: number, stopping?: AbortSignal): Promise<number> {
  let moved = 0;
  for (;;) {
    const claimed = await claim(places.db, endedMs);
    for (const [i, id] of claimed.entries()) {
      try {
        stopping?.throwIfAborted();
        if (await moveLog(places, id, stopping)) moved += 1;
      } catch (error) {
        await giveBack(places.db, id, claimed.slice(i + 1)).catch(() => undefined);
        throw error;
      }
    }
    if (claimed.length < logsAtATime) return moved;
  }
}

/** Logs that are still here although their builds ended so long ago. `l` is the log, `m` its build. */
const due = (endedMs: number) => sql`
  build_log l join machine m on m.kind = 'build' and m.id = l.build_id
  where l.object is null and not l.forgotten and m.phase = any(${[...terminalPhases]}::text[])
    and greatest(m.updated_at, l.known_at) <= clock_timestamp() - ${endedMs}::bigint * interval '1 ms'`;

/** How many of them there are. */
export async function countDueLogs(db: Db<BuildTables>, endedMs: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${due(endedMs)}`.execute(db);
  return rows[0]?.count ?? 0;
}

async function claim(db: Db<BuildTables>, endedMs: number): Promise<readonly BuildId[]> {
  const { rows } = await sql<{ id: BuildId }>`
    with free as (
      select l.build_id, l.claimed_until as tried, m.updated_at as ended
      from ${due(endedMs)} and (l.claimed_until is null or l.claimed_until <= clock_timestamp())
      order by tried nulls first, ended limit ${logsAtATime} for update of l skip locked
    ), claimed as (
      update build_log l set claimed_until = clock_timestamp() + ${claimMs}::bigint * interval '1 ms'
      from free where l.build_id = free.build_id returning l.build_id, free.tried, free.ended
    )
    select build_id as id from claimed order by tried nulls first, ended`.execute(db);
  return rows.map(({ id }) => id);
}

/** `untried` are as before; the one that failed has been tried. */
async function giveBack(db: Db<BuildTables>, failed: BuildId, untried: readonly BuildId[]): Promise<void> {
  await sql`
    update build_log set claimed_until = case when build_id = ${failed} then clock_timestamp() end
    where build_id = any(${[failed, ...untried]}::text[])`.execute(db);
}

async function moveLog(places: LogPlaces, id: BuildId, stopping: AbortSignal | undefined): Promise<boolean> {
  const { db, objects } = places;
  const length = await lengthHere(db, id);
  if (length === undefined) return false;
  const key = logObjectKey(id, length);
  try {
    await objects.put(key, packed(chunksBelow(db, id, length, stopping)));
  } catch (error) {
    // Meanwhile somebody else has moved it, or it was forgotten: what is to be read is gone.
    if ((await lengthHere(db, id)) === undefined) return false;
    throw error;
  }
  if (await noteMoved(db, id, key, length)) return true;
  const log = await db.selectFrom("build_log").select("object").where("build_id", "=", id).executeTakeFirst();
  if (log?.object === null) await objects.delete(key);
  return false;
}

async function lengthHere(db: Db<BuildTables>, id: BuildId): Promise<number | undefined> {
  const log = await db
    .selectFrom("build_log")
    .select("length")
    .where("build_id", "=", id)
    .where("object", "is", null)
    .where("forgotten", "=", false)
    .executeTakeFirst();
  return log?.length;
}

/** Exactly so many bytes, or an error. */
async function* chunksBelow(
  db: Db<BuildTables>,
  id: BuildId,
  length: number,
  stopping: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length; ) {
    stopping?.throwIfAborted();
    const part = await readPart(db, id, at);
    const chunks = part.kind === "chunks" ? part.chunks.filter((chunk) => chunk.at < length) : [];
    const before = at;
    for (const { at: begins, bytes } of chunks) {
      if (begins !== at) break;
      yield bytes;
      at += bytes.length;
    }
    if (at === before) throw new Error(`the log of ${id} has nothing at ${at} of ${length} bytes`);
  }
}

/** False: it is not here any more, and nothing was changed. What was written behind `length` stays. */
async function noteMoved(db: Db<BuildTables>, id: BuildId, key: string, length: number): Promise<boolean> {
  return await db.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable("build_log")
      .set({ object: key, object_length: length, claimed_until: null })
      .where("build_id", "=", id)
      .where("object", "is", null)
      .where("forgotten", "=", false)
      .where("length", ">=", length)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    await tx.deleteFrom("build_log_chunk").where("build_id", "=", id).where("at", "<", length).execute();
    await tx.insertInto("build_log_chunk").values({ build_id: id, at: 0, bytes: forOlder }).execute();
    return true;
  });
}
