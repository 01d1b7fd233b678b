import { silentLogger } from "@slipway/sql";
import { type LockWorld, lockContract, type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresLocks, type Target } from "../src/index.ts";

let database: TestDatabase;
let world: LockWorld;

beforeAll(async () => {
  database = await testDatabase("deployment");
  world = {
    locks: postgresLocks({ db: database.db("deployment"), log: silentLogger }),
    elsewhere: postgresLocks({ db: database.db("deployment"), log: silentLogger }),
  };
});
afterAll(async () => {
  await database.close();
});

describe("locks in Postgres", () => {
  lockContract(() => world);
});

test("tickets of a quarter of a year ago are forgotten, of whatever service, and no others", async () => {
  const db = database.db("deployment");
  const locks = postgresLocks({ db, log: silentLogger });
  await sql`insert into ticket (holder, service, environment, regions, state, ended_at) values
    ('old', 'elsewhere', 'prod', '{a}', 'released', now() - interval '91 days'),
    ('young', 'elsewhere', 'prod', '{a}', 'released', now() - interval '89 days')`.execute(db);
  const target = { service: "forgets", environment: "prod", region: "a" } as Target;
  await locks.acquire({ holder: "now", targets: [target] });

  await locks.release("now");

  const { rows } = await sql<{ holder: string }>`
    select holder from ticket where service in ('elsewhere', 'forgets') order by holder`.execute(db);
  expect(rows.map(({ holder }) => holder)).toEqual(["now", "young"]);
});

describe("the tables themselves", () => {
  test("refuse an epoch that shrinks and a new holder without a new epoch", async () => {
    const db = database.db("deployment");
    await sql`insert into target (service, environment, region, epoch) values ('raw', 'prod', 'a', 5)`.execute(db);

    await expect(sql`update target set epoch = 4 where service = 'raw'`.execute(db)).rejects.toThrow(/may not shrink/);
    await expect(
      sql`update target set holder = 'D-1', held_since = now() where service = 'raw'`.execute(db),
    ).rejects.toThrow(/needs a new epoch/);
  });

  test("refuse a second life of one holder", async () => {
    const db = database.db("deployment");
    const insert = sql`insert into ticket (holder, service, environment, regions) values ('D-7', 'raw', 'prod', '{a}')`;
    await insert.execute(db);

    await expect(insert.execute(db)).rejects.toThrow(/ticket_one_life/);
  });
});
