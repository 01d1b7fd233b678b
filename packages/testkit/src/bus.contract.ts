import type { BatchHandler, Bus, Handler } from "@slipway/bus";
import { CloudEvent } from "@slipway/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { until } from "./until.ts";

export type BusWorld = {
  readonly bus: Bus;
  /** The same bus as another process holds it. */
  readonly elsewhere: Bus;
};

let names = 0;

/** A topic or group that no other test uses. */
export function freshName(prefix: string): string {
  names += 1;
  return `${prefix}-${process.pid}-${names}`;
}

export function testEvent(id: string, subject: string, data: unknown = {}): CloudEvent {
  return CloudEvent.parse({
    specversion: "1.0",
    id,
    source: "/test",
    type: "test.happened",
    subject,
    time: "2026-01-01T00:00:00.000Z",
    data,
  });
}

type Recorder = { readonly seen: string[]; readonly handler: Handler };

/** A handler that notes ids, after `fail` had its say. */
function recorder(fail: (event: CloudEvent) => void = () => {}): Recorder {
  const seen: string[] = [];
  return {
    seen,
    handler: async (event) => {
      await Promise.resolve();
      fail(event);
      seen.push(event.id);
    },
  };
}

function series(subject: string, count: number): CloudEvent[] {
  return Array.from({ length: count }, (_, n) => testEvent(`${subject}/${n}`, subject, { n }));
}

function ofSubject(seen: readonly string[], subject: string): string[] {
  return seen.filter((id) => id.startsWith(`${subject}/`));
}

/** What every bus must do. All tests share one world; each uses topics and groups of its own. */
export function busContract(world: () => BusWorld): void {
  delivery(world);
  limits(world);
  failures(world);
  members(world);
  display(world);
}

function delivery(world: () => BusWorld): void {
  test("events reach a subscriber once each, in order per subject", async () => {
    const { bus, elsewhere } = world();
    const topic = freshName("topic");
    const { seen, handler } = recorder();
    const subscription = await bus.subscribe({ group: freshName("group"), topics: [topic], handler });

    const subjects = ["D-1", "D-2", "D-3"];
    const all = subjects.map((subject) => series(subject, 40));
    for (let n = 0; n < 40; n += 10) {
      for (const events of all) await elsewhere.publish(topic, events.slice(n, n + 10));
    }

    await until(() => seen.length >= 120, { what: "all 120 events" });
    for (const subject of subjects) expect(ofSubject(seen, subject)).toEqual(series(subject, 40).map((e) => e.id));
    await subscription.stop();
  });

  test("the handler gets the event as it was published", async () => {
    const { bus } = world();
    const topic = freshName("topic");
    const events: CloudEvent[] = [];
    const handler: Handler = async (event) => void events.push(event);
    const subscription = await bus.subscribe({ group: freshName("group"), topics: [topic], handler });
    const event = testEvent("e-1", "Ünï/code", { text: "a\u2028b", list: [1, null, { deep: true }] });

    await bus.publish(topic, [event]);

    await until(() => events.length > 0, { what: "the event" });
    expect(events).toEqual([event]);
    await subscription.stop();
  });

  test("a group that joins late still gets everything from the first event, and each group gets all", async () => {
    const { bus } = world();
    const topic = freshName("topic");
    await bus.publish(topic, series("D-1", 5));
    const [one, two] = [recorder(), recorder()];

    const subscriptions = [
      await bus.subscribe({ group: freshName("group"), topics: [topic], handler: one.handler }),
      await bus.subscribe({ group: freshName("group"), topics: [topic], handler: two.handler }),
    ];

    await until(() => one.seen.length === 5 && two.seen.length === 5, { what: "both groups to see all" });
    for (const subscription of subscriptions) await subscription.stop();
  });

  test("an event that is published again may come again, behind what came meanwhile; none is lost, none comes before its time", async () => {
    const { bus, elsewhere } = world();
    const topic = freshName("topic");
    const { seen, handler } = recorder();
    const subscription = await bus.subscribe({ group: freshName("group"), topics: [topic], handler });
    const [first, second, third] = series("D-1", 3) as [CloudEvent, CloudEvent, CloudEvent];

    await bus.publish(topic, [first, first]);
    await Promise.all([bus.publish(topic, [first, second]), elsewhere.publish(topic, [first, second])]);
    await bus.publish(topic, [first, third]);

    await until(() => seen.includes("D-1/2"), { what: "the last one" });
    expect([...new Set(seen)]).toEqual(["D-1/0", "D-1/1", "D-1/2"]);
    const read = (await bus.read(topic, 0, 100)).events.map((event) => event.id);
    expect([...new Set(read)]).toEqual(["D-1/0", "D-1/1", "D-1/2"]);
    await subscription.stop();
  });

  test("one bad event and nothing of its call is published", async () => {
    const { bus } = world();
    const topic = freshName("topic");
    const bad = { ...testEvent("e-2", "D-1"), subject: "" };

    await expect(bus.publish(topic, [testEvent("e-1", "D-1"), bad])).rejects.toThrow();

    expect((await bus.read(topic, 0, 10)).events).toEqual([]);
  });
}

function limits(world: () => BusWorld): void {
  test("a topic that one of the backends cannot have is refused by name, with what is allowed", async () => {
    const { bus } = world();
    const says = /no topic called "no topic!".*letters, digits/;
    const handler: Handler = async () => undefined;

    await expect(bus.publish("no topic!", [testEvent("a", "D-1")])).rejects.toThrow(says);
    await expect(bus.subscribe({ group: freshName("group"), topics: ["no topic!"], handler })).rejects.toThrow(says);
  });

  test("an event that is larger than one of the backends takes is refused by itself; those beside it arrive", async () => {
    const { bus } = world();
    const topic = freshName("topic");
    const sized = (id: string, bytes: number) => testEvent(id, "D-1", { text: "x".repeat(bytes) });

    await expect(bus.publish(topic, [sized("large", 900_001)])).rejects.toThrow(/event large .* 900000 is the most/);
    await bus.publish(topic, [sized("largest", 899_000), testEvent("small", "D-1")]);

    expect((await bus.read(topic, 0, 10)).events.map(({ id }) => id)).toEqual(["largest", "small"]);
  });

  test("characters that one of the backends cannot hold arrive as replaced, and hold nothing up", async () => {
    const { bus } = world();
    const topic = freshName("topic");

    await bus.publish(topic, [testEvent("odd", "D-1", { text: "a\0b", half: "\ud800" })]);

    expect((await bus.read(topic, 0, 10)).events.map(({ data }) => data)).toEqual([
      { text: "a\uFFFDb", half: "\uFFFD" },
    ]);
  });
}

function failures(world: () => BusWorld): void {
  test("a failing event is tried again; its subject waits in order, the others go on", async () => {
    const { bus } = world();
    const topic = freshName("topic");
    let broken = true;
    let attempts = 0;
    const { seen, handler } = recorder((event) => {
      if (event.id !== "D-1/1") return;
      attempts += 1;
      if (broken) throw new Error("not now");
    });
    const subscription = await bus.subscribe({ group: freshName("group"), topics: [topic], handler });

    await bus.publish(topic, [...series("D-1", 4), ...series("D-2", 4), ...series("D-3", 4), ...series("D-4", 4)]);
    await until(() => seen.length === 13 && attempts >= 3, { what: "others to pass while one is tried again" });
    expect(ofSubject(seen, "D-1")).toEqual(["D-1/0"]);
    await bus.publish(topic, [testEvent("D-1/4", "D-1")]);
    broken = false;

    await until(() => ofSubject(seen, "D-1").length === 5, { what: "the subject to catch up" });
    expect(ofSubject(seen, "D-1")).toEqual([0, 1, 2, 3, 4].map((n) => `D-1/${n}`));
    await bus.publish(topic, [testEvent("D-1/5", "D-1")]);
    await until(() => seen.at(-1) === "D-1/5", { what: "the subject to go on as before" });
    expect(seen.length).toBe(18);
    await subscription.stop();
  });

  test("what a handler of several cannot take together comes one by one, and what it has taken comes no more", async () => {
    const { bus } = world();
    const topic = freshName("topic");
    const { seen, handler } = recorder();
    const subjects = ["D-1", "D-2", "D-3"];
    for (const subject of subjects) await bus.publish(topic, series(subject, 40));

    const batch: BatchHandler = async (events) => {
      await Promise.resolve();
      if (events.some(({ id }) => id === "D-2/7")) throw new Error("not together with that one");
      seen.push(...events.map(({ id }) => id));
    };
    const subscription = await bus.subscribe({ group: freshName("group"), topics: [topic], handler, batch });

    await until(() => seen.length >= 120, { what: "all 120 events" });
    for (const subject of subjects) expect(ofSubject(seen, subject)).toEqual(series(subject, 40).map((e) => e.id));
    await subscription.stop();
  });

  test("law: whatever fails and how often, no event is lost and no subject gets out of order", async () => {
    const { bus, elsewhere } = world();
    const subjects = ["D-1", "D-2", "D-3", "D-4", "D-5"];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...subjects), fc.constantFrom(0, 0, 0, 1, 2)), { maxLength: 60 }),
        fc.boolean(),
        async (plan, together) => {
          const topic = freshName("topic");
          const failuresLeft = new Map<string, number>(plan.map(([subject, fails], n) => [`${subject}/${n}`, fails]));
          const { seen, handler } = recorder((event) => {
            const left = failuresLeft.get(event.id) ?? 0;
            failuresLeft.set(event.id, left - 1);
            if (left > 0) throw new Error("not now");
          });
          const batch: BatchHandler = async (events) => {
            await Promise.resolve();
            if (events.some(({ id }) => (failuresLeft.get(id) ?? 0) > 0)) throw new Error("not all of them now");
            seen.push(...events.map(({ id }) => id));
          };
          const options = { group: freshName("group"), topics: [topic], handler, batch: together ? batch : undefined };
          const one = await bus.subscribe(options);
          const two = await elsewhere.subscribe(options);
          const events = plan.map(([subject], n) => testEvent(`${subject}/${n}`, subject));
          for (let n = 0; n < events.length; n += 7) await bus.publish(topic, events.slice(n, n + 7));

          await until(() => new Set(seen).size === events.length, { what: "every event" });
          await Promise.all([one.stop(), two.stop()]);
          for (const subject of subjects) {
            expect([...new Set(ofSubject(seen, subject))]).toEqual(
              events.filter((event) => event.subject === subject).map((event) => event.id),
            );
          }
        },
      ),
      { numRuns: 12 },
    );
  });
}

function members(world: () => BusWorld): void {
  test("two members of a group share the work, and each event goes to one of them", async () => {
    const { bus, elsewhere } = world();
    const topic = freshName("topic");
    const group = freshName("group");
    const [one, two] = [recorder(), recorder()];
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: Handler = async (event, context) => {
      await gate;
      await one.handler(event, context);
    };
    const subjects = Array.from({ length: 16 }, (_, n) => `D-${n}`);
    const first = await bus.subscribe({ group, topics: [topic], handler: slow });
    const second = await elsewhere.subscribe({ group, topics: [topic], handler: two.handler });

    await bus.publish(
      topic,
      subjects.map((subject) => testEvent(`${subject}/0`, subject)),
    );
    await bus.publish(
      topic,
      subjects.map((subject) => testEvent(`${subject}/1`, subject)),
    );
    await until(() => two.seen.length > 0, { what: "the second member to take its share" });
    release();

    await until(() => one.seen.length + two.seen.length >= 32, { what: "all events" });
    expect(new Set([...one.seen, ...two.seen]).size).toBe(32);
    await Promise.all([first.stop(), second.stop()]);
  });

  test("after a stop nothing more is handled here, and another member goes on where this one ended", async () => {
    const { bus, elsewhere } = world();
    const topic = freshName("topic");
    const group = freshName("group");
    const [one, two] = [recorder(), recorder()];
    const first = await bus.subscribe({ group, topics: [topic], handler: one.handler });
    await bus.publish(topic, series("D-1", 3));
    await until(() => one.seen.length === 3, { what: "the first three" });

    await first.stop();
    await bus.publish(topic, series("D-1", 6).slice(3));
    const second = await elsewhere.subscribe({ group, topics: [topic], handler: two.handler });

    await until(() => two.seen.length === 3, { what: "the last three" });
    expect(one.seen.length).toBe(3);
    expect(two.seen).toEqual(["D-1/3", "D-1/4", "D-1/5"]);
    await second.stop();
  });
}

function display(world: () => BusWorld): void {
  test("a topic is read page by page from the beginning; the last page's end finds what comes later", async () => {
    const { bus } = world();
    const topic = freshName("topic");
    await bus.publish(topic, series("D-1", 7));
    await bus.publish(topic, series("D-2", 7));

    const ids: string[] = [];
    let page = await bus.read(topic, 0, 5);
    while (page.events.length > 0) {
      ids.push(...page.events.map((event) => event.id));
      page = await bus.read(topic, page.next, 5);
    }
    expect(ids.length).toBe(14);
    for (const subject of ["D-1", "D-2"]) expect(ofSubject(ids, subject)).toEqual(series(subject, 7).map((e) => e.id));

    await bus.publish(topic, [testEvent("late", "D-9")]);
    expect((await bus.read(topic, page.next, 5)).events.map((event) => event.id)).toEqual(["late"]);
    expect(await bus.read(freshName("unknown"), 0, 5)).toEqual({ events: [], next: 0 });
  });
}
