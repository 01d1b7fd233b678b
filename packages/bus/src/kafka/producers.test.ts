import type { Kafka, Producer } from "kafkajs";
import { expect, test } from "vitest";
import { openProducers } from "./producers.ts";

const message = [{ key: "D-1", value: "{}" }];

/** A library whose producers are numbered, and end a send as they are told. */
function library() {
  const made: { sends: PromiseWithResolvers<void>[]; closed: boolean }[] = [];
  const kafka = {
    producer() {
      const own = { sends: [] as PromiseWithResolvers<void>[], closed: false };
      made.push(own);
      const producer: Partial<Producer> = {
        connect: async () => {},
        async disconnect() {
          own.closed = true;
        },
        async send() {
          const sending = Promise.withResolvers<void>();
          own.sends.push(sending);
          await sending.promise;
          return [];
        },
      };
      return producer;
    },
  } as unknown as Kafka;
  return { made, producers: openProducers(async () => kafka) };
}

const begun = async (found: () => PromiseWithResolvers<void> | undefined) =>
  await expect
    .poll(found)
    .toBeDefined()
    .then(() => found() as PromiseWithResolvers<void>);

test("after a failed send the next goes by a new producer, since nobody knows which sequence number the broker has seen", async () => {
  const { made, producers } = library();
  const failed = producers.send("orders", 0, message);
  (await begun(() => made[0]?.sends[0])).reject(new Error("the broker is away"));
  await expect(failed).rejects.toThrow("the broker is away");

  const next = producers.send("orders", 0, message);
  (await begun(() => made[1]?.sends[0])).resolve();

  await next;
  expect(made.map(({ sends, closed }) => [sends.length, closed])).toEqual([
    [1, true],
    [1, false],
  ]);
});

test("a producer that failed ends once its other sends have, and not before", async () => {
  const { made, producers } = library();
  const [failed, other] = [producers.send("orders", 0, message), producers.send("orders", 1, message)];
  const [first, second] = [await begun(() => made[0]?.sends[0]), await begun(() => made[0]?.sends[1])];
  first.reject(new Error("the broker is away"));
  await expect(failed).rejects.toThrow("the broker is away");
  expect(made[0]?.closed).toBe(false);

  second.resolve();

  await other;
  await expect.poll(() => made[0]?.closed).toBe(true);
});
