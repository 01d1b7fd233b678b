import { type Kysely, sql } from "kysely";

/** Two columns: whether the server follows another one, and whether what it takes now is reads alone. */
export const takesNoWrites = `pg_is_in_recovery() as replica, current_setting('transaction_read_only')::bool as only_read`;

/** Whether this database is one that only reads: a replica after a failover, or one that was made so. */
export async function isReadOnly<T>(db: Kysely<T>): Promise<boolean> {
  const { rows } = await sql<{ only_read: boolean }>`select ${sql.raw(takesNoWrites)}`.execute(db);
  return rows[0]?.only_read === true;
}

/** SQLSTATE read_only_sql_transaction. */
export function isReadOnlyError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "25006";
}
