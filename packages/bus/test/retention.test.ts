import { silentLogger } from "@slipway/sql";
import { freshName, type TestDatabase, testDatabase, testEvent, until } from "@slipway/testkit";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Bus, postgresBus } from "../src/index.ts";

const dayMs = 86_400_000;
let database: TestDatabase;
let bus: Bus;
let topic = "";

beforeAll(async () => {
  database = await testDatabase(["bus", "notification"]);
  bus = postgresBus({ url: database.url("notification"), log: silentLogger });
});
afterAll(async () => {
  await bus?.close();
  await database?.close();
});
beforeEach(() => {
  topic = freshName("retention");
});

async function asAdmin(text: string, values: readonly unknown[]): Promise<void> {
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  await client.query(text, [...values]).finally(() => client.end());
}

/** As if they had been published some days ago. */
async function publishedDaysAgo(days: number, ...ids: readonly string[]): Promise<void> {
  await bus.publish(
    topic,
    ids.map((id) => testEvent(id, id)),
  );
  await asAdmin(
    "update bus.event set published_at = published_at - $2 * interval '1 day' where topic = $1 and id = any($3)",
    [topic, days, ids],
  );
}

async function kept(): Promise<readonly string[]> {
  return (await bus.read(topic, 0, 100)).events.map(({ id }) => id).sort();
}

/** Everything that there is has been handled once this resolves. */
async function readAll(group: string, handler: (id: string) => Promise<void> = async () => {}): Promise<void> {
  const seen = new Set<string>();
  const there = await kept();
  const subscription = await bus.subscribe({
    group,
    topics: [topic],
    handler: async ({ id }) => {
      seen.add(id);
      await handler(id);
    },
  });
  await until(() => there.every((id) => seen.has(id)), { what: "all events" });
  await subscription.stop();
}

test("old events that every group has read are forgotten, young ones stay", async () => {
  await publishedDaysAgo(40, "old");
  await publishedDaysAgo(10, "young");
  await readAll(freshName("one"));

  expect(await bus.forget(30 * dayMs, 100)).toBe(1);
  expect(await kept()).toEqual(["young"]);
});

test("what one group has not read yet stays for it, however old, and it gets it", async () => {
  await publishedDaysAgo(400, "old");
  const late = freshName("late");
  const joined = await bus.subscribe({ group: late, topics: [topic], handler: () => new Promise(() => {}) });
  await readAll(freshName("quick"));

  expect(await bus.forget(30 * dayMs, 100)).toBe(0);
  expect(await kept()).toEqual(["old"]);
  await joined.stop();
});

test("a subject that waits to be tried again keeps its events", async () => {
  await publishedDaysAgo(40, "broken", "fine");
  const handler = async (id: string) => {
    if (id === "broken") throw new Error("not now");
  };
  await readAll(freshName("one"), handler);

  await bus.forget(30 * dayMs, 100);
  expect(await kept()).toEqual(["broken"]);
});

test("nothing younger than a day goes, whatever is asked for, and no more at a time than asked", async () => {
  // What the tests before left.
  await bus.forget(0, 1_000);
  await publishedDaysAgo(0, "now");
  await publishedDaysAgo(3, "a", "b", "c");
  await readAll(freshName("one"));

  expect(await bus.forget(0, 2)).toBe(2);
  expect(await bus.forget(0, 2)).toBe(1);
  expect(await bus.forget(0, 2)).toBe(0);
  expect(await kept()).toEqual(["now"]);
});
