import { openDb } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetEnded, type Tables } from "../src/store.ts";

const dayMs = 86_400_000;
let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase("rollback");
});
afterAll(() => database.close());

test("looks of a long time go, however many, with no statement that deletes more than some thousands", async () => {
  const db = database.db<Tables>("rollback");
  const admin = openDb({ url: database.adminUrl, schema: "rollback" });
  await sql`
    create function refuse_many() returns trigger language plpgsql as $$ begin
      if (select count(*) from gone) > 10000 then raise exception 'too many at once'; end if;
      return null;
    end $$`.execute(admin);
  await sql`
    create trigger refuse_many after delete on look referencing old table as gone
      for each statement execute function refuse_many()`.execute(admin);
  await admin.destroy();
  const looks = async (watch: string, daysAgo: number, count: number) => {
    await sql`
      insert into look (watch_id, at, looks)
      select ${watch}, clock_timestamp() - ${daysAgo}::float8 * interval '1 day' - n * interval '2 s', '[]'
      from generate_series(1, ${count}::integer) n`.execute(db);
  };
  const watch = async (id: string, phase: string, daysAgo: number) => {
    await sql`
      insert into machine (kind, id, phase, state, version, generation, created_at, updated_at)
      select 'watch', ${id}, ${phase}, '{}', 1, 1, at, at
      from (select clock_timestamp() - ${daysAgo}::float8 * interval '1 day' as at) as long_ago`.execute(db);
  };
  await watch("D-1", "ended", 40);
  await watch("D-2", "watching", 40);
  await watch("D-3", "ended", 1);
  await looks("D-1", 39, 21_000);
  await looks("D-2", 39, 12_000);
  await looks("D-3", 39, 5);
  await looks("D-3", 2, 5);

  await forgetEnded(db, 7 * dayMs);

  const { rows } = await sql<{ watch_id: string; count: number }>`
    select watch_id, count(*) as count from look group by watch_id order by watch_id`.execute(db);
  expect(rows).toEqual([
    { watch_id: "D-2", count: 12_000 },
    { watch_id: "D-3", count: 10 },
  ]);
});
