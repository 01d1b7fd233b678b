import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";

test("retries come ever more slowly, at most every 30 s, and never more than twice as fast as planned", () => {
  expect([1, 2, 3, 10, 1_000].map((attempt) => backoffMs(attempt, 0))).toEqual([100, 200, 400, 30_000, 30_000]);
  expect(backoffMs(3, 0.999)).toBeGreaterThanOrEqual(200);
});

test("what is urgent is tried again after two seconds at most", () => {
  expect([1, 2, 3, 10, 1_000].map((attempt) => backoffMs(attempt, 0, true))).toEqual([100, 200, 400, 2_000, 2_000]);
});
