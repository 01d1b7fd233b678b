import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AccessTables, findToken } from "../src/token-rows.ts";
import { hashToken } from "../src/tokens.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase(["access"]);
});
afterAll(() => database.close());

test("how long a token has left is what the database's clock says, and null where it never expires", async () => {
  const db = database.db<AccessTables>("access");
  const add = (kid: string, expires: string | null) =>
    sql`insert into access.token (kid, name, roles, hash, expires_at)
      values (${kid}, ${kid}, '{viewer}', ${hashToken(kid)}, clock_timestamp() + ${expires}::interval)`.execute(db);
  await add("soon", "10 seconds");
  await add("over", "-10 seconds");
  await add("never", null);
  const left = async (kid: string) => (await findToken(db, kid))?.expires_in_ms;

  expect(await left("soon")).toBeGreaterThan(1_000);
  expect(await left("soon")).toBeLessThanOrEqual(10_000);
  expect(await left("over")).toBeLessThanOrEqual(-10_000);
  expect(await left("never")).toBeNull();
});
