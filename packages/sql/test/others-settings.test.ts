import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { databaseProblem, dbNow, openDb } from "../src/index.ts";

let database: TestDatabase;
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  database = await testDatabase("pool");
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => database?.close());

async function administrator(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  ends.push(() => client.end());
  return client;
}

test("what a database was made to say to whoever connects changes nothing", async () => {
  const admin = await administrator(database.adminUrl);
  const name = pg.escapeIdentifier(new URL(database.adminUrl).pathname.slice(1));
  for (const setting of [
    "datestyle = 'German, DMY'",
    "client_encoding = 'LATIN1'",
    "default_transaction_isolation = 'serializable'",
  ])
    await admin.query(`alter database ${name} set ${setting}`);
  const db = openDb<Record<never, never>>({ url: database.url("pool"), schema: "pool", max: 1 });
  ends.push(() => db.destroy());

  const { rows } = await sql<{ at: string; said: string; level: string }>`
    select timestamptz '2026-11-30 22:15:04.5Z' as at, ${"fertig ✓ naïve"}::text as said,
      current_setting('transaction_isolation') as level`.execute(db);

  expect(rows).toEqual([{ at: "2026-11-30T22:15:04.500Z", said: "fertig ✓ naïve", level: "read committed" }]);
  expect(await dbNow(db)).toMatch(/^\d{4}-\d\d-\d\dT/);
});

test("a database whose encoding lacks characters is told by name before anything is written to it", async () => {
  const admin = await administrator(database.adminUrl);
  await admin.query("create database in_latin1 encoding 'LATIN1' locale 'C' template template0");
  ends.push(() => admin.query("drop database in_latin1"));
  const url = new URL(database.adminUrl);
  url.pathname = "/in_latin1";
  const about = { urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "SLIPWAY_DATABASE_URL" };

  expect(await databaseProblem({ url: url.href, ...about })).toMatch(
    /^the database in_latin1 at \S+ keeps its text as LATIN1, .* in SLIPWAY_DATABASE_URL$/,
  );
  expect(await databaseProblem({ url: database.adminUrl, ...about })).toBeUndefined();
});
