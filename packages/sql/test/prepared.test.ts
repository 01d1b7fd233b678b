import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Db, openDb, prepared } from "../src/index.ts";

let database: TestDatabase;
let db: Db<Record<never, never>>;
beforeAll(async () => {
  database = await testDatabase("pool");
  // One connection, so that each statement finds what the one before it left.
  db = openDb({ url: database.url("pool"), schema: "pool", max: 1 });
});
afterAll(async () => {
  await db?.destroy();
  await database?.close();
});

const things = sql`(values (1, 'one'), (2, 'two')) as thing (id, name)`;
const nameOf = async (id: number) => {
  const { rows } = await sql<{ name: string }>`${prepared} select name from ${things} where id = ${id}`.execute(db);
  return rows[0]?.name;
};
const kept = async () => {
  const { rows } = await sql<{ statement: string }>`select statement from pg_prepared_statements`.execute(db);
  return rows.map(({ statement }) => statement);
};

test("a marked statement is prepared once and answers for its parameters; others are not prepared", async () => {
  await sql`select id from ${things} where name = ${"one"}`.execute(db);

  expect([await nameOf(1), await nameOf(2), await nameOf(3)]).toEqual(["one", "two", undefined]);

  expect(await kept()).toEqual([expect.stringMatching(/^\/\* prepared \*\/ select name .* where id = \$1$/)]);
});

test("where a pooler has thrown the statement away, one call fails and the next goes without", async () => {
  await nameOf(1);
  await sql`deallocate all`.execute(db);

  await expect(nameOf(1)).rejects.toThrow(/does not exist/);

  expect(await nameOf(1)).toBe("one");
  expect(await kept()).toEqual([]);
});
