import { openDb } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DurableDb, DurableTables } from "../src/tables.ts";
import { unflushed } from "../src/unflushed.ts";

let database: TestDatabase;
let db: DurableDb;
beforeAll(async () => {
  database = await testDatabase("unflushed");
  // One connection, so that what a call leaves on it is seen by the next.
  db = openDb<DurableTables>({ url: database.url("unflushed"), schema: "unflushed", max: 1 });
  await sql`set synchronous_commit = on`.execute(db);
});
afterAll(async () => {
  await db?.destroy();
  await database?.close();
});

const setting = sql<{ how: string }>`select current_setting('synchronous_commit') as how`;

test("the one statement does not wait for the disk, and the next ones of its connection do as before", async () => {
  expect(await unflushed(db, setting)).toEqual([{ how: "off" }]);
  expect((await setting.execute(db)).rows).toEqual([{ how: "on" }]);
});

test("what it writes is there for others at once, and nothing of what the database refuses", async () => {
  const insert = (subject: string) => sql<{ subject: string }>`
    insert into audit (seq, at, actor, action, subject, detail, prev_hash, hash)
    values (1, now(), 'ada', 'test', ${subject}, '{}', 'before', 'hash') returning subject`;
  const others = database.db<DurableTables>("unflushed");

  expect(await unflushed(db, insert("first"))).toEqual([{ subject: "first" }]);
  await expect(unflushed(db, insert("again"))).rejects.toMatchObject({ code: "23505" });

  expect(await others.selectFrom("audit").select("subject").execute()).toEqual([{ subject: "first" }]);
  expect((await setting.execute(db)).rows).toEqual([{ how: "on" }]);
});
