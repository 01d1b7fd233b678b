import { randomBytes } from "node:crypto";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AccessTables, findToken } from "../src/token-rows.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase(["access"]);
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
