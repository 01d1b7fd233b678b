import { ahead } from "@slipway/sql";
import { type RawBuilder, sql } from "kysely";
import type { DurableDb } from "./tables.ts";

/**
 * One statement that does not wait for the disk, in one message. For what only has to be seen by others: a database that dies within a moment forgets it. Its effect stands
 * once anything later is committed as usual.
 */
export async function unflushed<Row>(db: DurableDb, statement: RawBuilder<Row>): Promise<readonly Row[]> {
  return await db.connection().execute(async (own) => {
    try {
      await sql`${ahead} begin; set local synchronous_commit = off`.execute(own);
      await sql`${ahead} ${statement}`.execute(own);
      return (await sql<Row>`commit`.execute(own)).rows;
    } catch (error) {
      // Where the connection broke there is nothing to take back, and the first error is the one to tell.
      await sql`rollback`.execute(own).catch(() => undefined);
      throw error;
    }
  });
}
