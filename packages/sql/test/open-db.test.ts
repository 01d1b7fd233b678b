import { type Db, dbNow, listen, silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";

let database: TestDatabase;
let db: Db<Record<string, never>>;
beforeAll(async () => {
  database = await testDatabase("pool");
  db = database.db("pool");
});
afterAll(async () => await database.close());

test("numbers and times arrive in the shapes of the kernel", async () => {
  const { rows } = await sql`select 5::bigint as n, array[1, 2]::bigint[] as ns,
    timestamptz '2026-01-05 10:00:00.1234+01' as at, '{"a": 1}'::jsonb as doc`.execute(db);

  expect(rows).toEqual([{ n: 5, ns: [1, 2], at: "2026-01-05T09:00:00.123Z", doc: { a: 1 } }]);
});

test("an Instant goes back in unchanged", async () => {
  const now = await dbNow(db);

  const { rows } = await sql<{ at: string }>`select ${now}::timestamptz as at`.execute(db);

  expect(rows[0]?.at).toBe(now);
});

test("the search path holds the schema alone, and every wait has an end", async () => {
  const show = async (name: string): Promise<unknown> =>
    (await sql<{ value: string }>`select current_setting(${name}) as value`.execute(db)).rows[0]?.value;

  expect(await show("search_path")).toBe("pool");
  expect(await show("statement_timeout")).toBe("30s");
  expect(await show("lock_timeout")).toBe("10s");
  expect(await show("idle_in_transaction_session_timeout")).toBe("10s");
});

test("a pool whose connections were all killed goes on", async () => {
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  await dbNow(db);

  await client.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'slipway-pool'");
  await client.end();

  await until(async () => await dbNow(db), { what: "the pool answers again" });
});

test("a listener hears what is said, and is told to look again after its connection broke", async () => {
  const heard: string[] = [];
  const listener = await listen({
    url: database.url("pool"),
    channel: "wake",
    onNotify: (payload) => heard.push(payload),
    log: silentLogger,
  });
  expect(heard).toEqual([""]);
  await sql`select pg_notify('wake', 'first')`.execute(db);
  await until(() => heard.length === 2, { what: "the first notification" });

  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'slipway-listen-wake'",
  );
  await client.end();
  await until(() => heard.length === 3, { what: "the call after the new connection" });
  await sql`select pg_notify('wake', 'second')`.execute(db);
  await until(() => heard.length === 4, { what: "the second notification" });

  expect(heard).toEqual(["", "first", "", "second"]);
  await listener.close();
});

test("a listener that closes while it is being reconnected leaves nothing running", async () => {
  const listener = await listen({ url: database.url("pool"), channel: "gone", onNotify: () => {}, log: silentLogger });
  await Promise.all([listener.close(), listener.close()]);
});
