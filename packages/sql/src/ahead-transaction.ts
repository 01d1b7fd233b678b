import { type RawBuilder, sql } from "kysely";
import { ahead } from "./ahead.ts";
import type { Db } from "./open-db.ts";

/** Given the rows that the last statement before the commit gave, where that statement went ahead of it. */
export type Committed<Row, R> = (rows: readonly Row[]) => R;

/**
 * A transaction whose beginning goes ahead, together with `first`: two statements in one text, which has no parameters. What `work` sends ahead at its end goes
 * in one message with the commit, whose rows are that statement's. Rejects with the first error.
 */
export async function aheadTransaction<T, Row, R>(
  db: Db<T>,
  first: RawBuilder<unknown>,
  work: (tx: Db<T>) => Promise<Committed<Row, R>>,
): Promise<R> {
  return await db.connection().execute(async (tx) => {
    try {
      await sql`${ahead} begin; ${first}`.execute(tx);
      const committed = await work(tx);
      const { rows } = await sql<Row>`commit`.execute(tx);
      return committed(rows);
    } catch (error) {
      // Where the connection broke there is nothing to take back, and the first error is the one to tell.
      await sql`rollback`.execute(tx).catch(() => undefined);
      throw error;
    }
  });
}
