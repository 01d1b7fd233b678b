import { silentLogger } from "@slipway/sql";
import { freshName, type RealKafka, realPart, startKafka, testEvent, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bus, BusUnavailable, kafkaBus } from "../src/index.ts";

const part = realPart("kafka");
let kafka: RealKafka;
let bus: Bus;

beforeAll(async () => {
  if (part === undefined) return;
  kafka = await startKafka(part, { down: true });
  bus = kafkaBus({ url: kafka.url, log: silentLogger });
});
afterAll(async () => {
  await bus?.close();
  await kafka?.stop();
});

test.skipIf(part === undefined)(
  "a Kafka that is not there is told by every call and by readiness, and all of them work once it comes",
  async () => {
    const topic = freshName("topic");
    const says = /Kafka does not answer at 127\.0\.0\.1:\d+ .*start it, or correct SLIPWAY_BUS_URL/;
    const seen: string[] = [];
    const options = {
      group: freshName("group"),
      topics: [topic],
      handler: async ({ id }: { id: string }) => void seen.push(id),
    };

    for (const call of [
      () => bus.publish(topic, [testEvent("a", "D-1")]),
      () => bus.subscribe(options),
      () => bus.read(topic, 0, 10),
    ]) {
      const refused = call();
      await expect(refused).rejects.toThrow(BusUnavailable);
      await expect(refused).rejects.toThrow(says);
    }
    expect(await bus.ready()).toMatch(says);

    await kafka.restart(0);
    await until(async () => (await bus.ready()) === undefined, { what: "readiness", timeoutMs: 60_000 });
    const subscription = await bus.subscribe(options);
    await bus.publish(topic, [testEvent("b", "D-1")]);
    await until(() => seen.includes("b"), { what: "the event" });

    await kafka.kill(0);
    await until(async () => says.test((await bus.ready()) ?? ""), { what: "it to be missed", timeoutMs: 60_000 });
    await kafka.restart(0);
    await until(async () => (await bus.ready()) === undefined, { what: "readiness once more", timeoutMs: 90_000 });
    await bus.publish(topic, [testEvent("c", "D-1")]);
    await until(() => seen.includes("c"), { what: "the event behind it", timeoutMs: 60_000 });
    await subscription.stop();
  },
);

test("a wrong URL is refused with a sentence, without its password", () => {
  const open = () => kafkaBus({ url: "kafka://user:hunter2@:9092", log: silentLogger });
  expect(open).toThrow(/host:port/);
  expect(open).not.toThrow(/hunter2/);
});
