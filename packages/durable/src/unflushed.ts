import { ahead, aheadTransaction } from "@slipway/sql";
import { type RawBuilder, sql } from "kysely";
import type { DurableDb } from "./tables.ts";

/**
 * One statement that does not wait for the disk, in one message. For what only has to be seen by others: a database that dies within a moment forgets it. Its effect stands
 * once anything later is committed as usual.
 */
export async function unflushed<Row>(db: DurableDb, statement: RawBuilder<Row>): Promise<readonly Row[]> {
  return await aheadTransaction(db, sql`set local synchronous_commit = off`, async (tx) => {
    await sql`${ahead} ${statement}`.execute(tx);
    return (rows: readonly Row[]) => rows;
  });
}
