import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WorkQueue } from "./queue.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function turns(): Promise<void> {
  for (let count = 0; count < 5; count += 1) await turn();
}

test("a key that is named many times is looked at once", async () => {
  const seen: string[] = [];
  const queue = new WorkQueue({
    log,
    work: (key) => {
      seen.push(key);
      return undefined;
    },
  });

  for (const key of ["a", "b", "a", "a"]) queue.add(key);
  await turns();

  expect(seen).toEqual(["a", "b"]);
});

test("while nothing is named nothing runs, and no timer waits", async () => {
  let looks = 0;
  const queue = new WorkQueue({
    log,
    work: () => {
      looks += 1;
      return undefined;
    },
  });
  queue.add("a");
  await turns();

  await vi.advanceTimersByTimeAsync(3_600_000);
  await turns();

  expect(looks).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("a look that fails is tried again, and one that says when is looked at then", async () => {
  const seen: string[] = [];
  const queue = new WorkQueue({
    log,
    work: (key) => {
      seen.push(key);
      if (seen.length === 1) throw new Error("not now");
      return seen.length === 2 ? 5_000 : undefined;
    },
  });
  queue.add("a");
  await turns();

  await vi.advanceTimersByTimeAsync(1_000);
  await turns();
  expect(seen.length).toBe(2);
  await vi.advanceTimersByTimeAsync(5_000);
  await turns();

  expect(seen.length).toBe(3);
  expect(vi.getTimerCount()).toBe(0);
});

test("after a stop nothing more runs", async () => {
  const seen: string[] = [];
  const queue = new WorkQueue({
    log,
    work: (key) => {
      seen.push(key);
      return 10;
    },
  });
  queue.add("a");
  queue.stop();
  queue.add("b");
  queue.addLater("c");
  await vi.advanceTimersByTimeAsync(10_000);
  await turns();

  expect(seen).toEqual([]);
});
