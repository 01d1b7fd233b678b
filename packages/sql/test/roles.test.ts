import { type TestDatabase, testDatabase } from "@slipway/testkit";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase(["one_service", "other_service"]);
});
afterAll(async () => await database.close());

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const denied = { code: "42501" };

describe("the role of a service", () => {
  test("reads and writes its own tables", async () => {
    const url = database.url("one_service");

    await query(url, "insert into one_service.inbox (consumer, event_id) values ('c', 'e')");

    expect(await query(url, "select consumer from one_service.inbox")).toEqual([{ consumer: "c" }]);
  });

  test.each([
    "select * from other_service.machine",
    "insert into other_service.inbox (consumer, event_id) values ('c', 'e')",
    "create table other_service.mine ()",
    "create table one_service.mine ()",
    "create table public.mine ()",
    "create schema mine",
    "create temporary table mine ()",
    "drop table one_service.inbox",
    "truncate one_service.inbox",
    "create role mine",
    "set role slipway_other_service",
    "select rolpassword from pg_authid",
    "update one_service.audit set actor = 'nobody'",
    "delete from one_service.audit",
  ])("is refused: %s", async (text) => {
    await expect(query(database.url("one_service"), text)).rejects.toMatchObject(denied);
  });

  test("cannot log in with another role's password", async () => {
    const url = new URL(database.url("one_service"));
    url.username = "slipway_other_service";

    await expect(query(url.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
  });

  test("cannot log in with no password", async () => {
    const url = new URL(database.url("one_service"));
    url.password = "";

    await expect(query(url.href, "select 1")).rejects.toThrow();
  });
});
