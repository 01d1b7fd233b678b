import { silentLogger } from "@slipway/sql";
import { freshName, type RealKafka, realPart, startKafka, until } from "@slipway/testkit";
import { Kafka, logLevel } from "kafkajs";
import { afterEach, expect, test } from "vitest";
import { type Bus, kafkaBus } from "../src/index.ts";
import { effectsOf } from "./support/effects.ts";
import { allIds, outbox, outOfOrder } from "./support/outbox.ts";

const part = realPart("kafka");
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function busOn(kafka: RealKafka): Bus {
  const bus = kafkaBus({ url: kafka.url, log: silentLogger });
  ends.push(() => bus.close());
  return bus;
}

async function effects(bus: Bus, topic: string) {
  const seen = await effectsOf(bus, topic);
  ends.push(() => seen.close());
  return seen;
}

async function brokers(count: 1 | 3): Promise<RealKafka> {
  const kafka = await startKafka(part!, { brokers: count });
  ends.push(() => kafka.stop());
  return kafka;
}

test.skipIf(part === undefined)(
  "a broker that is killed in the middle of publishing and consuming costs no event, and none takes effect twice",
  async () => {
    const kafka = await brokers(1);
    const bus = busOn(kafka);
    const topic = freshName("topic");
    const { counts, handled } = await effects(bus, topic);
    const out = outbox(busOn(kafka), topic, { lanes: 4, perLane: 5 });

    for (let kill = 0; kill < 2; kill += 1) {
      await out.grown(400, "events to be published");
      await kafka.kill(0);
      const from = out.refusals.length;
      await until(() => out.refusals.length > from, { what: "a publisher to be told", timeoutMs: 60_000 });
      await kafka.restart(0);
      await out.grown(400, "events to be published again");
    }
    await out.stop();

    const acknowledged = new Set(out.acknowledged);
    await until(() => counts.size >= acknowledged.size, { what: "every event to take effect", timeoutMs: 90_000 });
    expect([...acknowledged].filter((id) => !counts.has(id))).toEqual([]);
    expect([...counts].filter(([, count]) => count !== 1)).toEqual([]);
    expect(outOfOrder(handled)).toEqual([]);
    const stored = await allIds(bus, topic);
    expect([...acknowledged].filter((id) => !stored.includes(id))).toEqual([]);
    expect(out.refusals.every((reason) => /Kafka .*127\.0\.0\.1/.test(reason))).toBe(true);
  },
);

test.skipIf(part === undefined)(
  "of three brokers each may be killed in its turn: nothing that was acknowledged is lost, nothing takes effect twice",
  async () => {
    const kafka = await brokers(3);
    const bus = busOn(kafka);
    const topic = freshName("topic");
    const { counts, handled } = await effects(bus, topic);
    const out = outbox(busOn(kafka), topic, { lanes: 4, perLane: 10 });

    for (const place of [0, 1, 2]) {
      await out.grown(1_000, "events to be published");
      await kafka.kill(place);
      await out.grown(1_000, `events to be published without broker ${place}`);
      await kafka.restart(place);
      await until(() => allInSync(kafka, topic), { what: "three copies of everything again", timeoutMs: 90_000 });
    }
    await out.stop();

    const acknowledged = new Set(out.acknowledged);
    const stored = await allIds(bus, topic);
    const kept = new Set(stored);
    expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
    expect(outOfOrder(stored)).toEqual([]);
    await until(() => counts.size >= acknowledged.size, { what: "every event to take effect", timeoutMs: 90_000 });
    expect([...counts].filter(([, count]) => count !== 1)).toEqual([]);
    expect(outOfOrder(handled)).toEqual([]);
  },
);

async function allInSync(kafka: RealKafka, topic: string): Promise<boolean> {
  const list = kafka.url.slice("kafka://".length).split(",");
  const admin = new Kafka({ brokers: list, logLevel: logLevel.NOTHING }).admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.every(({ isr }) => isr.length === 3) === true;
  } finally {
    await admin.disconnect();
  }
}
