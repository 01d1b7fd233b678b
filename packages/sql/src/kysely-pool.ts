import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import type pg from "pg";
import { isOutOfStep, isPrepared, preparedName } from "./prepared.ts";

/**
 * The pool for Kysely. A connection on which nothing comes back any more, though nobody has closed it (a failover, a NAT that forgot it), is given up with the statement
 * that found out, and so are those beside it of which nothing was heard since: the next caller has a new one. Marked statements are prepared; a connection that has lost one goes on without.
 */
export function kyselyPool(pool: pg.Pool): PostgresPool {
  const known = new WeakMap<pg.PoolClient, Wrapped>();
  /** When the last statement was sent that nothing came back for. */
  let unanswered = Number.NEGATIVE_INFINITY;
  const onSilence = (askedAt: number) => {
    unanswered = Math.max(unanswered, askedAt);
  };
  return {
    async connect() {
      for (;;) {
        const client = await pool.connect();
        const wrapped = known.get(client) ?? wrap(client, onSilence);
        known.set(client, wrapped);
        if (wrapped.heardAt() >= unanswered) return wrapped;
        wrapped.release(true);
      }
    },
    end: () => pool.end(),
    options: pool.options,
  };
}

class ConnectionSilent extends Error {
  override readonly name = "ConnectionSilent";
  readonly code = "ETIMEDOUT";
  constructor(cause?: unknown) {
    super("the database has not answered in time: the connection is given up", { cause });
  }
}

type Wrapped = PostgresPoolClient & { heardAt(): number; release(destroy?: boolean): void };

function wrap(client: pg.PoolClient, onSilence: (askedAt: number) => void): Wrapped {
  let named = true;
  let silent = false;
  let heardAt = performance.now();
  const ask = async (text: string, values: unknown[]): Promise<pg.QueryResult> => {
    // What would be next on it, a rollback above all, would wait as long again.
    if (silent) throw new ConnectionSilent();
    const askedAt = performance.now();
    try {
      const name = named && isPrepared(text) ? { name: preparedName(text) } : {};
      const answer = await client.query({ ...name, text, values });
      heardAt = performance.now();
      return answer;
    } catch (error) {
      if (isOutOfStep(error)) named = false;
      if (!isSilence(error)) throw error;
      silent = true;
      onSilence(askedAt);
      throw new ConnectionSilent(error);
    }
  };
  function query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  function query<R>(asked: string | PostgresCursor<R>, parameters: readonly unknown[] = []): unknown {
    if (typeof asked !== "string") throw new Error("statements are read whole here, never by a cursor");
    return ask(asked, [...parameters]);
  }
  return { query, release: (destroy) => client.release(destroy === true || silent), heardAt: () => heardAt };
}

/** The driver's own `query_timeout`, which has no code. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}
