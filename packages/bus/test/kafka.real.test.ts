import { silentLogger } from "@slipway/sql";
import {
  type BusWorld,
  busContract,
  freshName,
  type RealKafka,
  realPart,
  startKafka,
  testEvent,
  until,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BusUnavailable, kafkaBus, kafkaTrial } from "../src/index.ts";

const part = realPart("kafka");
let kafka: RealKafka;
let world: BusWorld;

beforeAll(async () => {
  if (part === undefined) return;
  kafka = await startKafka(part);
  world = {
    bus: kafkaBus({ url: kafka.url, log: silentLogger }),
    elsewhere: kafkaBus({ url: kafka.url, log: silentLogger }),
  };
});
afterAll(async () => {
  await Promise.all([world?.bus.close(), world?.elsewhere.close()]);
  await kafka?.stop();
});

describe.skipIf(part === undefined)("the bus on Kafka", () => {
  busContract(() => world);

  test("forgets by itself, and takes no event back by hand", async () => {
    expect(await world.bus.forget(0, 100)).toBe(0);
  });

  test("is ready while somebody answers", async () => {
    expect(await world.bus.ready()).toBeUndefined();
  });

  test("two that are given a prefix each share one Kafka, and neither has an event of the other", async () => {
    const [topic, group] = [freshName("topic"), freshName("group")];
    const seen: Record<string, string[]> = {};
    const pair = ["team-a.", "team-b."].map((prefix) => {
      const bus = kafkaBus({ url: `${kafka.url}?prefix=${prefix}`, log: silentLogger });
      const own: string[] = [];
      seen[prefix] = own;
      const handler = async ({ id }: { id: string }) => void own.push(id);
      return { prefix, bus, subscription: bus.subscribe({ group, topics: [topic], handler }) };
    });
    try {
      for (const { subscription } of pair) await subscription;

      for (const { bus, prefix } of pair) await bus.publish(topic, [testEvent(`of ${prefix}`, "D-1")]);
      await until(() => Object.values(seen).every((own) => own.length > 0), { what: "an event of each" });

      expect(seen).toEqual({ "team-a.": ["of team-a."], "team-b.": ["of team-b."] });
      for (const { bus, prefix } of pair)
        expect((await bus.read(topic, 0, 10)).events.map(({ id }) => id)).toEqual([`of ${prefix}`]);
      expect(await world.bus.read(topic, 0, 10)).toEqual({ events: [], next: 0 });
    } finally {
      for (const { bus } of pair) await bus.close();
    }
  });

  describe("topics that an installation has claimed", () => {
    const topic = "slipway.deployment.v1";
    const as = (id: string | undefined, prefix: string) => ({
      url: `${kafka.url}?prefix=${prefix}`,
      log: silentLogger,
      installation: async () => id,
    });
    const theirs =
      /the topics \S*slipway\.\* of Kafka at .* belong to another Slipway: give one of the two .*\?prefix=/;

    test("are refused to every other one, in all that it would do there, and by the doctor, which claims nothing", async () => {
      const prefix = `${freshName("shared")}.`;
      expect(await kafkaTrial(as("second", prefix), ["group"])).toBeUndefined();
      const first = kafkaBus(as("first", prefix));
      const second = kafkaBus(as("second", prefix));
      try {
        await first.publish(topic, [testEvent("of the first", "D-1")]);

        const handler = async () => undefined;
        await expect(second.publish(topic, [testEvent("of the second", "D-1")])).rejects.toThrow(theirs);
        await expect(second.subscribe({ group: "group", topics: [topic], handler })).rejects.toThrow(theirs);
        await expect(second.read(topic, 0, 10)).rejects.toThrow(BusUnavailable);
        expect(await second.ready()).toMatch(theirs);
        expect(await kafkaTrial(as("second", prefix), ["group"])).toMatch(theirs);
        expect(await kafkaTrial(as("first", prefix), ["group"])).toBeUndefined();
        expect((await first.read(topic, 0, 10)).events.map(({ id }) => id)).toEqual(["of the first"]);
        expect(await first.ready()).toBeUndefined();
      } finally {
        await Promise.all([first.close(), second.close()]);
      }
    });

    test("are one's own in every process, and anybody's who cannot tell who it is", async () => {
      const prefix = `${freshName("own")}.`;
      const buses = ["first", "first", undefined].map((id) => kafkaBus(as(id, prefix)));
      try {
        await Promise.all(buses.map((bus, n) => bus.publish(topic, [testEvent(`e-${n}`, "D-1")])));

        for (const bus of buses) expect((await bus.read(topic, 0, 10)).events).toHaveLength(3);
      } finally {
        await Promise.all(buses.map((bus) => bus.close()));
      }
    });

    test("are one's alone when two come at once", async () => {
      const prefix = `${freshName("raced")}.`;
      const buses = ["first", "second"].map((id) => kafkaBus(as(id, prefix)));
      try {
        const ends = await Promise.allSettled(buses.map((bus) => bus.publish(topic, [testEvent("a", "D-1")])));

        expect(ends.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      } finally {
        await Promise.all(buses.map((bus) => bus.close()));
      }
    });
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

    await until(() => seen.includes("broken"), { what: "the one that waited" });
    expect(seen.length).toBe(31);
    await second.stop();
  });
});
