import type { Instant } from "@slipway/kernel";
import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import pg from "pg";
import { columnTypes } from "./column-types.ts";
import { kyselyPool } from "./kysely-pool.ts";
import type { Logger } from "./logger.ts";
import { beginSession } from "./session.ts";

export type Db<T> = Kysely<T>;
export type Tx<T> = Transaction<T>;

export type OpenDbOptions = {
  /** `postgres://role:password@host/database`; a socket directory goes into `?host=`. */
  readonly url: string;
  /** The only schema in the search path. */
  readonly schema: string;
  /** Connections at most. Default 3. */
  readonly max?: number;
  readonly applicationName?: string;
  /** After so long without an answer a connection is taken for dead. Default 35,000: longer than the server lets a statement take. */
  readonly silentAfterMs?: number;
  readonly log?: Logger;
};

/**
 * A pool as Kysely. Waits are bounded: 5 s to connect, 30 s a statement at the server and 35 s here, 10 s idle inside a transaction (a forgotten
 * transaction would hold back every reader of the bus). int8 arrives as number, timestamptz as Instant.
 * `destroy()` closes it.
 */
export function openDb<T>(options: OpenDbOptions): Db<T> {
  const { url, schema, max = 3, applicationName, log, silentAfterMs = 35_000 } = options;
  const settings = sessionSettings(schema);
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 10_000,
    // Two statements may be under way at once (see `ahead`).
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: silentAfterMs,
    application_name: applicationName ?? `slipway-${schema}`,
    // It waits for this, which the types of the driver do not say.
    onConnect: (client) => beginSession(client, url, settings),
    types: columnTypes,
  });
  // Without a listener an idle connection that breaks would end the process; the pool replaces it by itself.
  pool.on("error", (error) => log?.warn({ err: error, schema }, "an idle database connection broke"));
  // The pool listens only while a connection is idle: one that breaks between two statements of a transaction would end
  // the process too. The next statement on it is rejected, which is all that its user needs to know.
  pool.on("connect", (client) => client.on("error", () => {}));
  return new Kysely<T>({ dialect: new PostgresDialect({ pool: kyselyPool(pool) }) });
}

/** Time of the database: the one clock of leases and of `now` in decisions. */
export async function dbNow<T>(db: Db<T>): Promise<Instant> {
  const { rows } = await sql<{ now: Instant }>`select clock_timestamp() as now`.execute(db);
  const row = rows[0];
  if (row === undefined) throw new Error("select clock_timestamp() gave no row");
  return row.now;
}

function sessionSettings(schema: string): Readonly<Record<string, string>> {
  if (!/^[a-z][a-z0-9_]*$/.test(schema)) throw new Error(`not a schema name: ${schema}`);
  return {
    search_path: schema,
    timezone: "UTC",
    // Of the server, the database and the role whoever owns them may have said otherwise (`alter database … set …`).
    datestyle: "ISO",
    client_encoding: "UTF8",
    default_transaction_isolation: "read committed",
    statement_timeout: "30000",
    lock_timeout: "10000",
    idle_in_transaction_session_timeout: "10000",
  };
}
