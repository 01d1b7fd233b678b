import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import { terminalPhases } from "./domain/decide.ts";
import type { BuildTables } from "./tables.ts";

/** What whoever asks for such a log reads in its place. */
const instead = Buffer.from(
  "what this build printed was removed once logs are not kept any more (SLIPWAY_KEEP_BUILD_LOGS)\n",
);
const logsAtATime = 200;

/** Removes what builds printed that were begun so long ago and have ended. The builds themselves stay. */
export async function forgetLogs(db: Db<BuildTables>, keepMs: number): Promise<void> {
  for (let count = logsAtATime; count === logsAtATime; ) count = await forgetSome(db, keepMs);
}

async function forgetSome(db: Db<BuildTables>, keepMs: number): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ id: string }>`
      select l.build_id as id from build_log l
      join build b on b.id = l.build_id join machine m on m.kind = 'build' and m.id = l.build_id
      where b.created_at < clock_timestamp() - ${keepMs}::bigint * interval '1 ms'
        and m.phase = any(${[...terminalPhases]}::text[]) and l.length <> ${instead.length}
      order by b.number limit ${logsAtATime} for update of l skip locked`.execute(tx);
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await tx.deleteFrom("build_log_chunk").where("build_id", "in", ids).execute();
    const left = ids.map((build_id) => ({ build_id, at: 0, bytes: instead }));
    await tx.insertInto("build_log_chunk").values(left).execute();
    await tx.updateTable("build_log").set({ length: instead.length }).where("build_id", "in", ids).execute();
    return ids.length;
  });
}
