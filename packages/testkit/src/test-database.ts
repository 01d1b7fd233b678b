import type { Db } from "@slipway/sql";

export type TestDatabase = {
  /** A pool as the schema's own role. Closed by `close`. */
  db<T>(schema: string): Db<T>;
  /** As the schema's own role. */
  url(schema: string): string;
  readonly adminUrl: string;
  /** Closes the pools and drops the database. */
  close(): Promise<void>;
};

/**
 * A database of its own for one test file, cloned from a template with these schemas migrated. A schema's folders are
 * `migrations/durable` (not for `bus` and `access`) and `migrations/<schema>`; one without a folder has durable's only.
 */
export async function testDatabase(schemas: string | readonly string[]): Promise<TestDatabase> {
  throw new Error(`not written yet: ${String(schemas)}`);
}
