import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { openDb, silentLogger } from "@slipway/sql";
import {
  type BusWorld,
  busContract,
  freshName,
  type TestDatabase,
  testDatabase,
  testEvent,
  until,
} from "@slipway/testkit";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bus, inboxOnce, postgresBus } from "../src/index.ts";

let database: TestDatabase;
let world: BusWorld;

beforeAll(async () => {
  database = await testDatabase(["bus", "notification", "metrics"]);
  const url = database.url("notification");
  world = { bus: postgresBus({ url, log: silentLogger }), elsewhere: postgresBus({ url, log: silentLogger }) };
});
afterAll(async () => {
  await Promise.all([world.bus.close(), world.elsewhere.close()]);
  await database.close();
});

describe("the bus in Postgres", () => {
  busContract(() => world);
});

async function pageIds(bus: Bus, topic: string): Promise<string[]> {
  return (await bus.read(topic, 0, 100)).events.map((event) => event.id);
}

describe("a transaction that commits late", () => {
  test("is never skipped: who reads past it waits for it, others pass", async () => {
    const { bus } = world;
    const topic = freshName("topic");
    const seen: string[] = [];
    const handler = async (event: { id: string }) => void seen.push(event.id);
    const subscription = await bus.subscribe({ group: freshName("group"), topics: [topic], handler });
    const late = new pg.Client({ connectionString: database.url("notification") });
    await late.connect();
    await late.query("begin");
    await late.query("select bus.publish($1, $2)", [topic, JSON.stringify([testEvent("slow", "D-1")])]);

    const behind = bus.publish(topic, [testEvent("behind", "D-1")]);
    const others = ["D-2", "D-3", "D-4", "D-5"];
    await Promise.race([bus.publish(topic, [testEvent("beside", await otherPartition(others))]), behind]);
    await until(() => seen.includes("beside"), { what: "the event of another partition" });
    expect(seen).toEqual(["beside"]);
    const before = await bus.read(topic, 0, 10);

    await late.query("commit");
    await behind;
    await until(() => seen.length === 3, { what: "the late one and the one behind it" });
    expect(seen).toEqual(["beside", "slow", "behind"]);
    expect((await bus.read(topic, before.next, 10)).events.map((event) => event.id)).toEqual(["slow", "behind"]);
    await late.end();
    await subscription.stop();
  });

  async function otherPartition(subjects: string[]): Promise<string> {
    const admin = new pg.Client({ connectionString: database.adminUrl });
    await admin.connect();
    const { rows } = await admin.query(
      "select one from unnest($1::text[]) one where bus.partition_of(one, 8) <> bus.partition_of('D-1', 8)",
      [subjects],
    );
    await admin.end();
    return rows[0].one;
  }
});

describe("a member that is killed", () => {
  /** For how long nobody else can have what the group has, by the clock of the database. */
  async function claimedForMs(group: string): Promise<number> {
    const admin = new pg.Client({ connectionString: database.adminUrl });
    await admin.connect();
    const { rows } = await admin.query(
      "select extract(epoch from max(leased_until) - clock_timestamp()) * 1000 as ms from bus.consumer where consumer_group = $1",
      [group],
    );
    await admin.end();
    return Number(rows[0].ms);
  }

  test("loses its partition to another one within two seconds, without a gap", async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const script = join(import.meta.dirname, "hanging-consumer.ts");
    const child = spawn(
      process.execPath,
      ["--conditions=@slipway/source", script, database.url("notification"), group, topic],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      const said = once(child.stdout, "data");
      const events = ["a", "b", "c"].map((id) => testEvent(id, "D-1"));
      await world.bus.publish(topic, events);
      expect(String((await said)[0])).toBe("a\n");

      const seen: string[] = [];
      const handler = async (event: { id: string }) => void seen.push(event.id);
      const subscription = await world.bus.subscribe({ group, topics: [topic], handler });
      child.kill("SIGKILL");
      await once(child, "exit");
      const claimedMs = await claimedForMs(group);

      await until(() => seen.length === 3, { what: "the survivor to take over" });
      expect(claimedMs).toBeLessThan(2_000);
      expect(seen).toEqual(["a", "b", "c"]);
      await subscription.stop();
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("finds on its return that its claim is void", async () => {
    const topic = freshName("topic");
    const group = freshName("group");
    const db = openDb<Record<never, never>>({ url: database.url("notification"), schema: "bus" });
    await world.bus.publish(topic, [testEvent("a", "D-1")]);
    await sql`select join_group(${group}, ${[topic]}::text[])`.execute(db);
    const claim = (token: string, leaseMs: number) =>
      sql<{ topic: string | null; partition: number }>`
        select * from claim(${group}, ${[topic]}::text[], ${token}, ${leaseMs})`.execute(db);

    const { partition } = (await claim("old", 0)).rows[0]!;
    expect((await claim("new", 60_000)).rows[0]!.topic).toBe(topic);

    const held = await sql<{ advance: boolean; park: boolean; unpark: boolean }>`
      select advance(${group}, ${topic}, ${partition}, 'old', 1, 1000), unpark(${group}, ${topic}, ${partition}, 'old', 'D-1'),
        park(${group}, ${topic}, ${partition}, 'old', 'D-1', 0, 1, 100, 'x')`.execute(db);
    expect(held.rows).toEqual([{ advance: false, park: false, unpark: false }]);
    expect((await claim("third", 1_000)).rows[0]!.topic).toBeNull();
    await db.destroy();
  });
});

describe("a database that cuts every connection", () => {
  test("costs no event and no order: publishers are told, consumers come back", async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const seen: string[] = [];
    const handler = async (event: { id: string }) => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(event.id);
    };
    const subscription = await world.bus.subscribe({ group, topics: [topic], handler });
    const ids = Array.from({ length: 30 }, (_, n) => `cut/${n}`);

    for (const [n, id] of ids.entries()) {
      const event = testEvent(id, "D-1");
      await until(
        async () => {
          await world.elsewhere.publish(topic, [event]);
          return true;
        },
        { what: `${id} to be published` },
      );
      if (n % 10 === 5) await cutConnections();
    }

    await until(() => new Set(seen).size === ids.length, { what: "every event" });
    expect([...new Set(seen)]).toEqual(ids);
    await subscription.stop();
  });

  async function cutConnections(): Promise<void> {
    const admin = new pg.Client({ connectionString: database.adminUrl });
    await admin.connect();
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await admin.end();
  }
});

describe("a stop", () => {
  test("gives the running handler its time, then tells it to end", async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const told: string[] = [];
    const subscription = await world.bus.subscribe({
      group,
      topics: [topic],
      handler: (event, { signal }) =>
        new Promise((_, reject) => {
          told.push(event.id);
          signal.addEventListener("abort", () => {
            told.push(String(signal.reason.message));
            reject(signal.reason);
          });
        }),
    });
    await world.bus.publish(topic, [testEvent("a", "D-1"), testEvent("b", "D-1")]);
    await until(() => told.length === 1, { what: "the handler to begin" });

    await subscription.stop();

    expect(told).toEqual(["a", "the process stops"]);
  });
});

describe("what a service's role may do", () => {
  test("publish and read, but never change, delete or write past the functions", async () => {
    const topic = freshName("topic");
    await world.bus.publish(topic, [testEvent("a", "D-1")]);
    const client = new pg.Client({ connectionString: database.url("notification") });
    await client.connect();

    for (const statement of [
      "update bus.event set body = '{}'",
      "delete from bus.event",
      "insert into bus.event select * from bus.event",
      "update bus.consumer set next_offset = 0",
      "truncate bus.event",
      "select bus.ensure_topic('x')",
    ]) {
      await expect(client.query(statement), statement).rejects.toThrow(/permission denied|must be owner/);
    }
    await client.end();
    expect(await pageIds(world.bus, topic)).toEqual(["a"]);
  });

  test("not consume in a group of another service", async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const handler = async () => {};
    await (await world.bus.subscribe({ group, topics: [topic], handler })).stop();
    const other = postgresBus({ url: database.url("metrics"), log: silentLogger });

    await expect(other.subscribe({ group, topics: [topic], handler })).rejects.toThrow(/does not belong to role/);
    await other.close();
  });
});

describe("the inbox", () => {
  test("says true once per group and event, and forgets what was rolled back", async () => {
    const db = database.db("notification");
    const take = (group: string) => db.transaction().execute((tx) => inboxOnce(tx, group, "e-1"));

    const failed = db.transaction().execute(async (tx) => {
      expect(await inboxOnce(tx, "one", "e-1")).toBe(true);
      throw new Error("rolled back");
    });
    await expect(failed).rejects.toThrow("rolled back");
    const answers = await Promise.all([take("one"), take("one"), take("one")]);

    expect(answers.filter(Boolean).length).toBe(1);
    expect(await take("one")).toBe(false);
    expect(await take("two")).toBe(true);
  });
});
