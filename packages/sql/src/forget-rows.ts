import { type RawBuilder, sql } from "kysely";
import type { Db } from "./open-db.ts";

export type OldRows = {
  readonly table: string;
  /** The column (timestamptz) that says how old a row is. */
  readonly at: string;
  readonly olderThanMs: number;
  /** What has to be true besides of a row that goes. */
  readonly where?: RawBuilder<boolean>;
};

const rowsAtATime = 10_000;
const roundMs = 5 * 60_000;

/**
 * Deletes the rows of a table that are so old, oldest first and some thousands with each statement: however many there are, as after the time for which
 * they are kept was made shorter, none of the statements comes near the time that one may take. Ends after five minutes, since what is left goes the next
 * time; answers how many went. Several processes may do so at once.
 */
export async function forgetRows<T>(
  db: Db<T>,
  { table, at, olderThanMs, where = sql<boolean>`true` }: OldRows,
  { atATime = rowsAtATime, forMs = roundMs }: { readonly atATime?: number; readonly forMs?: number } = {},
): Promise<number> {
  const endsAtMs = performance.now() + forMs;
  const rows = sql.table(table);
  const age = sql.ref(`${table}.${at}`);
  let forgotten = 0;
  let from: string = "-infinity";
  for (;;) {
    // By the time of the statement, which an index can be asked about; and from the last ones on, so that the dead rows before them are not read again.
    const answer = await sql<{ found: number; gone: number; last: string | null }>`
      with old as materialized (
        select ${rows}.ctid as place, ${age} as at from ${rows}
        where ${age} < statement_timestamp() - ${olderThanMs}::bigint * interval '1 ms' and ${age} >= ${from}::timestamptz
          and ${where}
        order by ${age} limit ${atATime}
      ), gone as (delete from ${rows} where ctid = any(array(select place from old)) returning 1)
      select (select count(*) from old) as found, (select count(*) from gone) as gone, (select max(at) from old) as last`.execute(
      db,
    );
    const { found = 0, gone = 0, last = null } = answer.rows[0] ?? {};
    forgotten += gone;
    if (found < atATime || last === null || performance.now() >= endsAtMs) return forgotten;
    from = last;
  }
}
