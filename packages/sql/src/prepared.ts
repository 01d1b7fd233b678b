import { createHash } from "node:crypto";
import { type PostgresCursor, type PostgresPool, type PostgresPoolClient, type PostgresQueryResult, sql } from "kysely";
import type pg from "pg";

const mark = "/* prepared */";

/**
 * Stands in the text of a statement that is parsed and planned once on each connection, which takes longer than doing it. For what is asked all the
 * time in the same words; it names its columns, since a plan with a `*` fails once a migration has added one.
 */
export const prepared = sql.raw<never>(mark);

/** Postgres has another statement of that name, or none, or its answer has other columns than when it was planned: a pooler or a migration came between. */
const outOfStep: ReadonlySet<string> = new Set(["42P05", "26000", "0A000"]);

/** The pool, on whose connections marked statements have names. A connection that has lost one goes on without. */
export function preparing(pool: pg.Pool): PostgresPool {
  const known = new WeakMap<pg.PoolClient, PostgresPoolClient>();
  return {
    async connect() {
      const client = await pool.connect();
      const wrapped = known.get(client) ?? wrap(client);
      known.set(client, wrapped);
      return wrapped;
    },
    end: () => pool.end(),
    options: pool.options,
  };
}

const names = new Map<string, string>();

function nameOf(text: string): string {
  const name = names.get(text) ?? createHash("sha256").update(text).digest("hex").slice(0, 32);
  names.set(text, name);
  return name;
}

function wrap(client: pg.PoolClient): PostgresPoolClient {
  let named = true;
  const ask = async (text: string, values: unknown[]): Promise<pg.QueryResult> => {
    if (!named || !text.includes(mark)) return await client.query(text, values);
    try {
      return await client.query({ name: nameOf(text), text, values });
    } catch (error) {
      if (error instanceof Error && "code" in error && outOfStep.has(String(error.code))) named = false;
      throw error;
    }
  };
  function query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  function query<R>(asked: string | PostgresCursor<R>, parameters: readonly unknown[] = []): unknown {
    if (typeof asked !== "string") throw new Error("statements are read whole here, never by a cursor");
    return ask(asked, [...parameters]);
  }
  return { query, release: (destroy) => client.release(destroy) };
}
