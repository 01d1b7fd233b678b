import { silentLogger } from "@slipway/sql";
import { freshName, type RealKafka, realPart, startKafka, testEvent, until } from "@slipway/testkit";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bus, kafkaBus } from "../src/index.ts";

const part = realPart("kafka");
let kafka: RealKafka;
let bus: Bus;

beforeAll(async () => {
  if (part === undefined) return;
  kafka = await startKafka(part);
  bus = kafkaBus({ url: kafka.url, log: silentLogger });
});
afterAll(async () => {
  await bus?.close();
  await kafka?.stop();
});

/** What is published once that is possible again reaches who listens. */
async function takesAfterwards(topic: string, seen: ReadonlySet<string>): Promise<void> {
  const published = () =>
    bus.publish(topic, [testEvent("after", "D-1")]).then(
      () => true,
      () => false,
    );
  await until(published, { what: "an event to be published again", timeoutMs: 90_000 });
  await until(() => seen.has("after"), { what: "the event of afterwards", timeoutMs: 60_000 });
}

describe.skipIf(part === undefined)("a Kafka that comes back empty", () => {
  test("or whose topic was deleted makes a running consumer miss nothing of what is published afterwards", async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const seen = new Set<string>();
    const handler = async ({ id }: { id: string }) => void seen.add(id);
    const subscription = await bus.subscribe({ group, topics: [topic], handler });
    const before = Array.from({ length: 50 }, (_, n) => testEvent(`before-${n}`, "D-1"));
    await bus.publish(topic, before);
    await until(() => seen.size === before.length, { what: "all of before" });

    const { Kafka, logLevel } = kafkajs;
    const admin = new Kafka({ brokers: [kafka.url.slice("kafka://".length)], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
    await takesAfterwards(topic, seen);
    await subscription.stop();
  });

  test("makes a running consumer miss nothing of what is published afterwards", async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const seen = new Set<string>();
    const lost = Promise.withResolvers<void>();
    const handler = async ({ id }: { id: string }) => {
      // What is done while nobody can be told of it is told to the new group, if to any.
      if (id === "before-49") await lost.promise;
      seen.add(id);
    };
    const subscription = await bus.subscribe({ group, topics: [topic], handler });
    const before = Array.from({ length: 50 }, (_, n) => testEvent(`before-${n}`, "D-1"));
    await bus.publish(topic, before);
    await until(() => seen.size === before.length - 1, { what: "all of before but one" });

    await kafka.lose();
    lost.resolve();
    await kafka.restart(0);
    await takesAfterwards(topic, seen);
    await subscription.stop();
    expect(await bus.ready()).toBeUndefined();
  });
});
