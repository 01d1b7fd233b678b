import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  databaseProblem,
  isReadOnly,
  openDb,
  prepareProblems,
  silentLogger,
  startEmbeddedPostgres,
} from "../src/index.ts";

let database: TestDatabase;
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  database = await testDatabase("pool");
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => database?.close());

const about = { urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "SLIPWAY_DATABASE_URL" };

test("a replica is told by name, to whoever starts there as to whoever prepares it", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-replica-"));
  ends.push(() => rm(dataDir, { recursive: true }));
  const start = () => startEmbeddedPostgres({ dataDir, durability: "test", log: silentLogger });
  const primary = await start();
  expect(await databaseProblem({ url: primary.adminUrl(), ...about })).toBeUndefined();
  await primary.stop();
  await writeFile(join(dataDir, "postgres", "standby.signal"), "");
  const replica = await start();
  ends.push(() => replica.stop());

  const told = /^Postgres at \S+ is a replica, which takes no writes: name the primary, .* in SLIPWAY_DATABASE_URL$/;
  expect(await databaseProblem({ url: replica.adminUrl(), ...about })).toMatch(told);
  expect(await prepareProblems({ url: replica.adminUrl(), ...about, schemas: [] })).toEqual([
    expect.stringMatching(told),
  ]);
});

test("a database that was made to take no writes is told by name, and a connection that leads there is not kept", async () => {
  const name = new URL(database.adminUrl).pathname.slice(1);
  const admin = openDb<Record<never, never>>({ url: database.adminUrl, schema: "pool" });
  const db = openDb<Record<never, never>>({ url: database.url("pool"), schema: "pool", max: 1 });
  ends.push(
    () => admin.destroy(),
    () => db.destroy(),
  );
  const only = async (setting: "on" | "off") =>
    await sql`alter database ${sql.id(name)} set default_transaction_read_only = ${sql.lit(setting)}`.execute(admin);
  const write = () => sql`insert into audit default values`.execute(db);

  await only("on");
  expect(await isReadOnly(db)).toBe(true);
  expect(await databaseProblem({ url: database.url("pool"), ...about })).toMatch(
    /takes no writes \(default_transaction_read_only is on for slipway_pool in test_\w+\): find out why/,
  );
  await expect(write()).rejects.toMatchObject({ code: "25006" });
  // The way back needs a connection that may write.
  await admin.connection().execute(async (one) => {
    await sql`set default_transaction_read_only = off`.execute(one);
    await sql`alter database ${sql.id(name)} set default_transaction_read_only = off`.execute(one);
  });

  expect(await isReadOnly(db)).toBe(false);
});
