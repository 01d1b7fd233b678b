import { silentLogger } from "@slipway/sql";
import { type BusWorld, busContract, freshName, type RealKafka, startKafka, testEvent, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BusUnavailable, kafkaBus } from "../src/index.ts";

let kafka: RealKafka;
let world: BusWorld;

beforeAll(async () => {
  kafka = await startKafka();
  world = {
    bus: kafkaBus({ url: kafka.url, log: silentLogger }),
    elsewhere: kafkaBus({ url: kafka.url, log: silentLogger }),
  };
});
afterAll(async () => {
  await Promise.all([world?.bus.close(), world?.elsewhere.close()]);
  await kafka?.stop();
});

describe("the bus on Kafka", () => {
  busContract(() => world);

  test("forgets by itself, and takes no event back by hand", async () => {
    expect(await world.bus.forget(0, 100)).toBe(0);
  });

  test("is ready while somebody answers", async () => {
    expect(await world.bus.ready()).toBeUndefined();
  });

  test("a topic that Kafka cannot have is refused by name, with what is allowed", async () => {
    const refused = world.bus.publish("no topic!", [testEvent("a", "D-1")]);
    await expect(refused).rejects.toThrow(BusUnavailable);
    await expect(refused).rejects.toThrow(/no topic called "no topic!".*letters, digits/);
  });

  test("an event that is too large is refused by itself; those beside it arrive", async () => {
    const topic = freshName("topic");
    const large = testEvent("large", "D-1", { text: "x".repeat(2_000_000) });

    const refused = world.bus.publish(topic, [large]);
    await expect(refused).rejects.toThrow(/larger than Kafka takes/);
    await world.bus.publish(topic, [testEvent("small", "D-1")]);

    expect((await world.bus.read(topic, 0, 10)).events.map(({ id }) => id)).toEqual(["small"]);
  });

  test("a page of a topic with more than one fetch brings is read to its end", async () => {
    const topic = freshName("topic");
    const filler = "x".repeat(20_000);
    const events = Array.from({ length: 300 }, (_, n) => testEvent(`e-${n}`, `D-${n % 3}`, { filler }));
    await world.bus.publish(topic, events);

    const ids = new Set<string>();
    let page = await world.bus.read(topic, 0, 100);
    while (page.events.length > 0) {
      for (const { id } of page.events) ids.add(id);
      page = await world.bus.read(topic, page.next, 100);
    }

    expect(ids.size).toBe(300);
  });

  test("events that wait for another attempt are not done again beyond themselves when the group is divided anew", async () => {
    const { bus, elsewhere } = world;
    const [topic, group] = [freshName("topic"), freshName("group")];
    const seen: string[] = [];
    let broken = true;
    const handler = async ({ id, subject }: { id: string; subject?: string }) => {
      if (broken && subject === "broken") throw new Error("not now");
      seen.push(id);
    };
    const first = await bus.subscribe({ group, topics: [topic], handler });
    const subjects = ["broken", ...Array.from({ length: 30 }, (_, n) => `D-${n}`)];
    await bus.publish(
      topic,
      subjects.map((subject) => testEvent(subject, subject)),
    );
    await until(() => seen.length === 30, { what: "all but one" });

    const second = await elsewhere.subscribe({ group, topics: [topic], handler });
    await first.stop();
    broken = false;

    await until(() => seen.includes("broken"), { what: "the one that waited", timeoutMs: 30_000 });
    expect(seen.length).toBe(31);
    await second.stop();
  });
});
