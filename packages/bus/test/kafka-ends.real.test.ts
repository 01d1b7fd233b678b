import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { silentLogger } from "@slipway/sql";
import { freshName, type RealKafka, realPart, startKafka, testEvent, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Bus, kafkaBus } from "../src/index.ts";

const part = realPart("kafka");
const endsWithinMs = 45_000;
let kafka: RealKafka;
let bus: Bus;
let child: ChildProcess | undefined;

beforeAll(async () => {
  if (part === undefined) return;
  kafka = await startKafka(part);
  bus = kafkaBus({ url: kafka.url, log: silentLogger });
});
afterEach(() => void child?.kill("SIGKILL"));
afterAll(async () => {
  await bus?.close();
  await kafka?.stop();
});

async function subscriber() {
  const topic = freshName("topic");
  const file = join(import.meta.dirname, "subscriber-process.ts");
  const args = ["--conditions=@slipway/source", file, kafka.url, freshName("group"), topic];
  const started = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  child = started;
  let said = "";
  started.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(started, "exit");
  const hears = async (id: string) => {
    const published = async () => {
      await bus.publish(topic, [testEvent(id, "D-1")]).catch(() => undefined);
      return said.includes(`${id}\n`);
    };
    await until(published, { what: `${id} to be heard`, timeoutMs: 120_000 });
  };
  await until(() => said.includes("joined"), { what: "the group to be joined", timeoutMs: 60_000 });
  return { hears, ended, close: () => started.stdin.end() };
}

async function outage(): Promise<void> {
  await kafka.kill(0);
  await kafka.restart(0);
}

test.skipIf(part === undefined)("a process whose bus is closed after outages ends by itself", async () => {
  const { hears, ended, close } = await subscriber();
  await outage();
  await hears("again");

  close();

  expect(await Promise.race([ended, late()])).toEqual([0, null]);
});

test.skipIf(part === undefined)(
  "a process whose bus is closed while it joins its group again ends by itself",
  async () => {
    const { ended, close } = await subscriber();
    await outage();

    close();

    expect(await Promise.race([ended, late()])).toEqual([0, null]);
  },
);

async function late(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  setTimeout(() => resolve("it did not end"), endsWithinMs).unref();
  return promise;
}
