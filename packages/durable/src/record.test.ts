import { silentLogger } from "@slipway/sql";
import { expect, test } from "vitest";
import type { Item, Result } from "./batch.ts";
import { createFlights, type Flight } from "./flights.ts";
import type { Claim } from "./lease.ts";
import type { Queue } from "./queue.ts";
import { record } from "./record.ts";

const claim = (attempt: number): Claim => ({
  lease: { kind: "tape", id: "t", seq: 1, attempt, holder: "us" },
  command: { type: "Work" },
  state: { phase: "open" },
  generation: 0,
  urgent: false,
  void: false,
});

/** As the database answers: an outcome counts under the newest lease only. */
function queueUnder(newest: number): { queue: Queue; tried: number[] } {
  const tried: number[] = [];
  const push = async (item: Item): Promise<Result> => {
    if (item.kind !== "record") throw new Error("only outcomes are written here");
    tried.push(item.lease.attempt);
    return item.lease.attempt === newest ? { kind: "recorded" } : { kind: "stale" };
  };
  return { queue: { push, length: 0 }, tried };
}

test("what was done counts under the lease that we have taken anew, though its claim is answered after the outcome", async () => {
  const flights = createFlights("us", silentLogger);
  const { queue, tried } = queueUnder(2);
  let began = 0;
  const performed = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const landed = Promise.withResolvers<void>();
  const fly = async (flight: Flight) => {
    began += 1;
    await performed.promise;
    await record(queue, silentLogger, flights, flight, { kind: "done" });
  };
  flights.launch(claim(1), Number.MAX_VALUE, fly, landed.resolve);
  const round = flights.during(answered.promise.then(() => flights.launch(claim(2), Number.MAX_VALUE, fly, () => {})));

  performed.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  answered.resolve();
  await round;
  await landed.promise;

  expect(tried).toEqual([1, 2]);
  expect(began).toBe(1);
});

test("an outcome whose lease somebody else has is tried once and does not count", async () => {
  const flights = createFlights("us", silentLogger);
  const { queue, tried } = queueUnder(2);
  const landed = Promise.withResolvers<void>();

  flights.launch(
    claim(1),
    Number.MAX_VALUE,
    (flight) => record(queue, silentLogger, flights, flight, { kind: "done" }),
    landed.resolve,
  );
  await landed.promise;

  expect(tried).toEqual([1]);
});
