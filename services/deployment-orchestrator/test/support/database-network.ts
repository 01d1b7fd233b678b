import { join } from "node:path";
import { type Db, openDb } from "@slipway/sql";
import { type FaultProxy, startFaultProxy, type TestDatabase } from "@slipway/testkit";

/** After so long without an answer a connection is given up: 35 s outside of tests. */
export const silentAfterMs = 1_000;

/** The same database, whose schema `deployment` is reached over a network that can be made a bad one. */
export async function databaseOverNetwork(
  database: TestDatabase,
): Promise<{ readonly database: TestDatabase; readonly network: FaultProxy; stop(): Promise<void> }> {
  const direct = new URL(database.url("deployment"));
  const network = await startFaultProxy(
    join(direct.searchParams.get("host") ?? "", `.s.PGSQL.${direct.port || "5432"}`),
  );
  const url = (schema: string) => {
    const there = new URL(database.url(schema));
    if (schema !== "deployment") return there.href;
    there.search = "";
    there.host = `127.0.0.1:${network.port}`;
    return there.href;
  };
  const pools: Db<never>[] = [];
  return {
    network,
    database: {
      ...database,
      url,
      db<T>(schema: string): Db<T> {
        const db = openDb<T>({ url: url(schema), schema, silentAfterMs });
        pools.push(db as unknown as Db<never>);
        return db;
      },
    },
    async stop() {
      for (const pool of pools) await pool.destroy().catch(() => undefined);
      await network.stop();
    },
  };
}
