import { join } from "node:path";
import { type FaultProxy, startFaultProxy, type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Db, dbNow, listen, openDb, silentLogger } from "../src/index.ts";

const silentAfterMs = 500;
let database: TestDatabase;
let network: FaultProxy;
let db: Db<Record<never, never>>;
let urlThere: string;
beforeEach(async () => {
  database = await testDatabase("pool");
  const url = new URL(database.url("pool"));
  network = await startFaultProxy(join(url.searchParams.get("host") ?? "", `.s.PGSQL.${url.port || "5432"}`));
  url.search = "";
  url.host = `127.0.0.1:${network.port}`;
  urlThere = url.href;
  db = openDb({ url: urlThere, schema: "pool", max: 1, silentAfterMs });
});
afterEach(async () => {
  await db?.destroy();
  await network?.stop();
  await database?.close();
});

test("a connection that has gone dead without a word costs the call that finds out, and the next has a new one", async () => {
  await dbNow(db);
  network.strand();

  await expect(dbNow(db)).rejects.toThrow("the database has not answered in time: the connection is given up");

  expect(await dbNow(db)).toMatch(/^\d{4}-/);
});

test("those beside it are given up with it, and whoever comes next has a new one", async () => {
  const wide = openDb<Record<never, never>>({ url: urlThere, schema: "pool", max: 3, silentAfterMs });
  try {
    await Promise.all([0, 1, 2].map(() => sql`select pg_sleep(0.1)`.execute(wide)));
    network.strand();

    await expect(dbNow(wide)).rejects.toMatchObject({ code: "ETIMEDOUT" });

    expect(await Promise.all([dbNow(wide), dbNow(wide), dbNow(wide)])).toHaveLength(3);
  } finally {
    await wide.destroy();
  }
});

test("one that listens and has gone dead holds up nobody's end", async () => {
  const listening = await listen({ url: urlThere, channel: "news", onNotify: () => {}, log: silentLogger });
  network.strand();

  await listening.close();
});

test("a transaction on such a connection ends with its first statement, and nothing more is sent on it", async () => {
  await dbNow(db);
  let sent = 0;

  const broken = db.transaction().execute(async (tx) => {
    network.strand();
    await sql`select 1`.execute(tx).finally(() => {
      sent = network.swallowed();
    });
  });

  await expect(broken).rejects.toMatchObject({ code: "ETIMEDOUT" });
  expect([sent > 0, network.swallowed()]).toEqual([true, sent]);
  expect(await dbNow(db)).toMatch(/^\d{4}-/);
});
