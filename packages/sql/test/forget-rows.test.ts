import { type Db, forgetRows } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

const dayMs = 86_400_000;
const most = 3;
const old = { table: "inbox", at: "received_at", olderThanMs: 30 * dayMs };
let database: TestDatabase;
let db: Db<Record<string, never>>;

beforeAll(async () => {
  database = await testDatabase("forgetting");
  db = database.db("forgetting");
  await asAdmin(`
    create function forgetting.refuse_many() returns trigger language plpgsql as $$ begin
      if (select count(*) from gone) > ${most} then raise exception 'too many at once'; end if;
      return null;
    end $$;
    create trigger refuse_many after delete on forgetting.inbox referencing old table as gone
      for each statement execute function forgetting.refuse_many()`);
});
afterAll(async () => await database.close());
beforeEach(() => asAdmin("truncate forgetting.inbox"));

async function asAdmin(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  await client.query(text).finally(() => client.end());
}

/** Each a little older than the one before it. */
async function received(consumer: string, daysAgo: number, count: number): Promise<void> {
  await sql`
    insert into inbox (consumer, event_id, received_at)
    select ${consumer}, n::text, clock_timestamp() - ${daysAgo}::float8 * interval '1 day' - n * interval '1 microsecond'
    from generate_series(1, ${count}::integer) n`.execute(db);
}

async function left(): Promise<Record<string, number>> {
  const { rows } = await sql<{ consumer: string; count: number }>`
    select consumer, count(*) as count from inbox group by consumer order by consumer`.execute(db);
  return Object.fromEntries(rows.map(({ consumer, count }) => [consumer, count]));
}

test("all that is old goes, so many with each statement, and what is young stays", async () => {
  await received("old", 31, 20);
  await received("young", 29, 5);

  expect(await forgetRows(db, old, { atATime: most })).toBe(20);

  expect(await left()).toEqual({ young: 5 });
});

test("many of one moment go as well", async () => {
  await sql`
    insert into inbox (consumer, event_id, received_at)
    select 'old', n::text, timestamptz '2020-01-01' from generate_series(1, 10) n`.execute(db);

  expect(await forgetRows(db, old, { atATime: most })).toBe(10);
});

test("what is to stay for another reason keeps none behind it", async () => {
  await received("needed", 40, 7);
  await received("old", 31, 7);

  await forgetRows(db, { ...old, where: sql<boolean>`consumer <> 'needed'` }, { atATime: most });

  expect(await left()).toEqual({ needed: 7 });
});

test("a round ends when its time is over, the oldest are gone then, and the next one goes on", async () => {
  await received("older", 50, most);
  await received("old", 31, 2);

  expect(await forgetRows(db, old, { atATime: most, forMs: 0 })).toBe(most);
  expect(await left()).toEqual({ old: 2 });

  expect(await forgetRows(db, old, { atATime: most, forMs: 0 })).toBe(2);
});

test("several may do so at once", async () => {
  await received("old", 31, 60);

  const gone = await Promise.all([1, 2, 3].map(() => forgetRows(db, old, { atATime: most })));

  expect(gone.reduce((sum, count) => sum + count, 0)).toBe(60);
  expect(await left()).toEqual({});
});
