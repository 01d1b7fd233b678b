import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import type pg from "pg";
import { goesAhead } from "./ahead.ts";
import { isOutOfStep, isPrepared, preparedName } from "./prepared.ts";
import { isReadOnlyError } from "./read-only.ts";

/**
 * The pool for Kysely. A connection on which nothing comes back any more, though nobody has closed it (a failover, a NAT that forgot it), is given up with the statement
 * that found out, and so are those beside it of which nothing was heard since: the next caller has a new one. So is one that leads to what takes no writes. Marked statements are prepared; a connection that has lost one goes on without.
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
  // After a failover it leads to a replica, for as long as it is kept.
  let onReplica = false;
  let heardAt = performance.now();
  let ahead: Promise<pg.QueryResult>[] = [];
  const send = (text: string, values: unknown[]): Promise<pg.QueryResult> => {
    const name = named && isPrepared(text) ? { name: preparedName(text) } : {};
    return client.query({ ...name, text, values });
  };
  const ask = async (text: string, values: unknown[]): Promise<pg.QueryResult> => {
    // What would be next on it, a rollback above all, would wait as long again.
    if (silent) throw new ConnectionSilent();
    if (goesAhead(text)) {
      const sent = send(text, values);
      // Told by the next one.
      sent.catch(() => undefined);
      ahead.push(sent);
      return { command: "", rowCount: null, oid: 0, fields: [], rows: [] };
    }
    const before = ahead;
    ahead = [];
    const askedAt = performance.now();
    try {
      const [answer, ...earlier] = await Promise.all([send(text, values), ...before]);
      heardAt = performance.now();
      return answer.command === "COMMIT" ? (earlier.findLast(givesRows) ?? answer) : answer;
    } catch (error) {
      named &&= !isOutOfStep(error);
      onReplica ||= isReadOnlyError(error);
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
  const release = (destroy?: boolean) => client.release(destroy === true || silent || onReplica || ahead.length > 0);
  return { query, release, heardAt: () => heardAt };
}

/** Of several statements in one text the driver has a list of answers, which nobody reads here. */
function givesRows(answer: pg.QueryResult): boolean {
  return !Array.isArray(answer) && answer.fields.length > 0;
}

/** The driver's own `query_timeout`, which has no code. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}
