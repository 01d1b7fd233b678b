import { randomBytes } from "node:crypto";
import type { Db } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AccessTables, findInstallation, findToken } from "../src/token-rows.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase(["access", "notes"]);
});
afterAll(() => database.close());

test("how long a token has left is what the database's clock says, and null where it never expires", async () => {
  const db = database.db<AccessTables>("access");
  const hash = randomBytes(32);
  const add = (kid: string, expires: string | null) =>
    sql`insert into access.token (kid, name, roles, hash, expires_at)
      values (${kid}, ${kid}, '{viewer}', ${hash}, clock_timestamp() + ${expires}::interval)`.execute(db);
  await add("00000000soon", "10 seconds");
  await add("00000000over", "-10 seconds");
  await add("0000000never", null);
  const left = async (kid: string) => (await findToken(db, kid))?.expires_in_ms;

  expect(await left("00000000soon")).toBeGreaterThan(1_000);
  expect(await left("00000000soon")).toBeLessThanOrEqual(10_000);
  expect(await left("00000000over")).toBeLessThanOrEqual(-10_000);
  expect(await left("0000000never")).toBeNull();
});

test("which Slipway a database is of is the same for every service, and no service changes it", async () => {
  const [notes, access] = ["notes", "access"].map((schema) => database.db<AccessTables>(schema));

  const id = await findInstallation(notes as Db<AccessTables>);

  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await findInstallation(access as Db<AccessTables>)).toBe(id);
  await expect(
    sql`update access.installation set id = gen_random_uuid()`.execute(notes as Db<AccessTables>),
  ).rejects.toThrow(/permission denied/);
  await expect(
    sql`insert into access.installation (alone) values (false)`.execute(access as Db<AccessTables>),
  ).rejects.toThrow();
});

test("a database that does not say which Slipway it is of is answered by nothing", async () => {
  const older = await testDatabase(["notes"]);
  try {
    expect(await findInstallation(older.db<AccessTables>("notes"))).toBeUndefined();
  } finally {
    await older.close();
  }
});
