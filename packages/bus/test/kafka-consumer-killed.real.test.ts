import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Db, silentLogger } from "@slipway/sql";
import {
  freshName,
  type RealKafka,
  realPart,
  startKafka,
  type TestDatabase,
  testDatabase,
  until,
} from "@slipway/testkit";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Bus, kafkaBus } from "../src/index.ts";
import { outbox, outOfOrder } from "./support/outbox.ts";

const part = realPart("kafka");
let kafka: RealKafka;
let database: TestDatabase;
let bus: Bus;
const consumers: Consumer[] = [];

beforeAll(async () => {
  if (part === undefined) return;
  kafka = await startKafka(part);
  database = await testDatabase(["notification"]);
  bus = kafkaBus({ url: kafka.url, log: silentLogger });
  const admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  // No key: what is done twice is there twice.
  await admin.query(`create table notification.effect (number bigint generated always as identity, event text, process integer);
    grant all on notification.effect to slipway_notification`);
  await admin.end();
});
afterEach(async () => {
  for (const consumer of consumers.splice(0)) await consumer.kill();
});
afterAll(async () => {
  await bus?.close();
  await kafka?.stop();
  await database?.close();
});

type Consumer = {
  readonly begun: readonly string[];
  /** kill -9, whatever it is at. */
  kill(): Promise<void>;
};

function startConsumer(group: string, topic: string): Consumer {
  const file = join(import.meta.dirname, "inbox-process.ts");
  const args = ["--conditions=@slipway/source", file, kafka.url, group, topic, database.url("notification")];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const begun: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => begun.push(...chunk.toString().trim().split("\n")));
  const ended = once(child, "exit");
  const consumer = {
    begun,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
  consumers.push(consumer);
  return consumer;
}

async function effects(db: Db<Record<never, never>>): Promise<readonly string[]> {
  const { rows } = await sql<{ event: string }>`select event from effect order by number`.execute(db);
  return rows.map(({ event }) => event);
}

test.skipIf(part === undefined)(
  "consumers that are killed in the middle of their work cost no event, and none takes effect twice or before its time",
  async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const out = outbox(bus, topic, { lanes: 4, perLane: 5 });
    const running = [startConsumer(group, topic), startConsumer(group, topic)];

    for (let kill = 0; kill < 4; kill += 1) {
      const victim = running.shift();
      const from = victim?.begun.length ?? 0;
      await until(() => (victim?.begun.length ?? 0) > from + 50, { what: "its work", timeoutMs: 120_000 });
      await victim?.kill();
      running.push(startConsumer(group, topic));
    }
    await out.stop();

    const acknowledged = [...new Set(out.acknowledged)];
    const db = database.db<Record<never, never>>("notification");
    await until(async () => (await effects(db)).length >= acknowledged.length, {
      what: "every event to take effect",
      timeoutMs: 120_000,
    });
    const done = await effects(db);
    expect(done.length).toBe(new Set(done).size);
    expect(new Set(done)).toEqual(new Set(acknowledged));
    expect(outOfOrder(done)).toEqual([]);
    expect(consumers.every(({ begun }) => begun.length > 0)).toBe(true);
  },
);
