import { dbNow } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase("notification");
});
afterAll(async () => {
  await database.close();
});

test("a connection that breaks between two statements fails its transaction, not the process", async () => {
  const db = database.db<never>("notification");
  const other = database.db<never>("notification");

  const broken = db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
    const pid = rows[0]?.pid ?? 0;
    await sql`select pg_terminate_backend(${pid})`.execute(other);
    await until(
      async () => (await sql`select 1 from pg_stat_activity where pid = ${pid}`.execute(other)).rows.length === 0,
      {
        what: "the end of the connection",
      },
    );
    await sql`select 1`.execute(tx);
  });

  await expect(broken).rejects.toThrow();
  expect(await dbNow(db)).toMatch(/Z$/);
});
