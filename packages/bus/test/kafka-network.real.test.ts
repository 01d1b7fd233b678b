import { silentLogger } from "@slipway/sql";
import { type FaultProxy, freshName, type RealKafka, realPart, startKafka, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Bus, kafkaBus } from "../src/index.ts";
import { effectsOf } from "./support/effects.ts";
import { allIds, outbox, outOfOrder } from "./support/outbox.ts";

const part = realPart("kafka");

/** Publishers and consumers whose every byte goes through a proxy, under load. */
describe.skipIf(part === undefined)("over a bad network Kafka loses no event, and none takes effect twice,", () => {
  let kafka: RealKafka;
  let network: FaultProxy;
  let bus: Bus;
  let publisher: Bus;
  let topic: string;
  let effects: Awaited<ReturnType<typeof effectsOf>>;
  let out: ReturnType<typeof outbox>;

  beforeAll(async () => {
    kafka = await startKafka(part!, { proxied: true });
    network = kafka.proxies[0]!;
  });
  afterAll(() => kafka?.stop());

  beforeEach(async () => {
    [bus, publisher] = [
      kafkaBus({ url: kafka.url, log: silentLogger }),
      kafkaBus({ url: kafka.url, log: silentLogger }),
    ];
    topic = freshName("topic");
    effects = await effectsOf(bus, topic);
    out = outbox(publisher, topic, { lanes: 4, perLane: 5 });
    await out.grown(100, "events to be published");
  });
  afterEach(async () => {
    network.delay(0);
    network.swallow(false);
    await out.stop();
    await Promise.all([bus.close(), publisher.close()]);
    await effects.close();
  });

  test("where bytes come late", async () => {
    network.delay(60);
    await out.grown(100, "events to be published slowly");

    expect(out.refusals).toEqual([]);
    await expectAllOnce();
  });

  test("where connections are cut again and again", async () => {
    let cuts = 0;
    for (let cut = 0; cut < 5; cut += 1) {
      cuts += network.cut();
      await out.grown(50, "events to be published again");
    }

    expect(cuts).toBeGreaterThanOrEqual(5);
    await expectAllOnce();
  });

  test("where what was sent vanishes for a while, which publishers are told in time", async () => {
    network.swallow(true);
    const from = out.refusals.length;
    await until(() => out.refusals.length > from, { what: "a publisher to be told", timeoutMs: 60_000 });
    expect(network.swallowed()).toBeGreaterThan(0);
    network.swallow(false);
    // A stream of which something is missing is no stream any more.
    network.cut();
    await out.grown(100, "events to be published again");

    await expectAllOnce();
  });

  async function expectAllOnce(): Promise<void> {
    await out.stop();
    const acknowledged = new Set(out.acknowledged);
    const { counts, handled } = effects;
    await until(() => [...acknowledged].every((id) => counts.has(id)), { what: "every event", timeoutMs: 90_000 });
    expect([...counts].filter(([, count]) => count !== 1)).toEqual([]);
    expect(outOfOrder(handled)).toEqual([]);
    const stored = new Set(await allIds(bus, topic));
    expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([]);
  }
});
