import type { BuildId } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import { terminalPhases } from "./domain/decide.ts";
import { logObjects } from "./log-object.ts";
import type { LogPlaces } from "./log-reader.ts";
import type { BuildTables } from "./tables.ts";

/** What whoever asks for such a log reads in its place. */
const instead = Buffer.from(
  "what this build printed was removed once logs are not kept any more (SLIPWAY_KEEP_BUILD_LOGS)\n",
);
const logsAtATime = 200;

/**
 * Removes what builds printed that were begun so long ago and have ended. The builds themselves stay. Objects go after the rows that named them, and what a
 * crash or a store that is away left of them the next time.
 */
export async function forgetLogs(places: LogPlaces, keepMs: number): Promise<void> {
  for (let count = logsAtATime; count === logsAtATime; ) count = await forgetSome(places.db, keepMs);
  await removeObjects(places);
}

/** One that is being moved is left for the next time. */
async function forgetSome(db: Db<BuildTables>, keepMs: number): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ id: string; elsewhere: boolean }>`
      select l.build_id as id, l.object is not null or l.claimed_until is not null as elsewhere from build_log l
      join build b on b.id = l.build_id join machine m on m.kind = 'build' and m.id = l.build_id
      where b.created_at < clock_timestamp() - ${keepMs}::bigint * interval '1 ms'
        and m.phase = any(${[...terminalPhases]}::text[]) and not l.forgotten
        and (l.claimed_until is null or l.claimed_until <= clock_timestamp())
      order by b.number limit ${logsAtATime} for update of l skip locked`.execute(tx);
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await tx.deleteFrom("build_log_chunk").where("build_id", "in", ids).execute();
    const left = ids.map((build_id) => ({ build_id, at: 0, bytes: instead }));
    await tx.insertInto("build_log_chunk").values(left).execute();
    await tx
      .updateTable("build_log")
      .set({ length: instead.length, forgotten: true, object: null, object_length: null, claimed_until: null })
      .where("build_id", "in", ids)
      .execute();
    const objects = rows.flatMap(({ id, elsewhere }) => (elsewhere ? [{ build_id: id }] : []));
    if (objects.length > 0)
      await tx
        .insertInto("build_log_left")
        .values(objects)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    return ids.length;
  });
}

/** By prefix: a process that was killed before it could note an object has left one that no row names. */
async function removeObjects({ db, objects }: LogPlaces): Promise<void> {
  const left = await db.selectFrom("build_log_left").select("build_id").execute();
  const problem = left.length === 0 ? undefined : await objects.problem();
  if (problem !== undefined) throw new Error(`objects of ${left.length} forgotten logs cannot be removed: ${problem}`);
  for (const { build_id: id } of left) {
    for (const { key } of await objects.list(logObjects(id as BuildId))) await objects.delete(key);
    await db.deleteFrom("build_log_left").where("build_id", "=", id).execute();
  }
}
