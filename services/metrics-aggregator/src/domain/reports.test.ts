import type { Instant } from "@slipway/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Change, costOf, countedAt, dora, median, restoredAt } from "./reports.ts";

const second = (n: number) => `2026-01-01T00:00:${String(n).padStart(2, "0")}.000Z` as Instant;

function change(known: Partial<Change>): Change {
  return {
    ...{ id: "D-1", service: "orders", environment: "prod", version: "v", gitSha: null, regions: ["a", "b"] },
    ...{ exposedAt: null, succeededAt: null, caught: null, ended: null, committedAt: null },
    ...{ wayBack: null, ledAwayAt: null },
    ...{ maxWeightPercent: null, failedRequests: null, slowRequests: null, shut: {} },
    ...known,
  };
}

const good = (from: number, to: number) => change({ committedAt: second(from), succeededAt: second(to) });
const bad = change({
  exposedAt: second(10),
  caught: { at: second(15), reason: "It fails 20%." },
  ended: { at: second(40), outcome: "rolled_back", reason: "It fails 20%." },
  shut: { a: second(16), b: second(18) },
  maxWeightPercent: 5,
  failedRequests: 12,
});

describe("the DORA figures", () => {
  test("of nothing are nothing, not zero", () => {
    expect(dora([], 30)).toEqual({
      deployments: 0,
      deployments_per_day: 0,
      lead_time_seconds: null,
      change_failure_percent: null,
      recovery_seconds: null,
    });
  });

  test("count changes, take the median lead time and recovery, and the share of bad ones", () => {
    expect(dora([good(0, 10), good(0, 20), good(0, 50), bad], 2)).toEqual({
      deployments: 4,
      deployments_per_day: 2,
      lead_time_seconds: 20,
      change_failure_percent: 25,
      recovery_seconds: 8,
    });
  });

  test("leave out a lead time whose commit is unknown or later than its deployment", () => {
    expect(dora([good(30, 10), change({ succeededAt: second(5) })], 1)).toMatchObject({
      deployments: 2,
      lead_time_seconds: null,
    });
  });

  test("one that was good until later counts as bad, from when that was found until what leads away from it served", () => {
    const caught = { at: second(40), reason: "it smells" };
    const later = { ...good(0, 10), exposedAt: second(5), caught, wayBack: "D-2" };

    expect(dora([later], 1)).toMatchObject({ deployments: 1, change_failure_percent: 100, recovery_seconds: null });
    expect(dora([{ ...later, ledAwayAt: second(46) }], 1)).toMatchObject({ recovery_seconds: 6 });
    expect(costOf({ ...later, ledAwayAt: second(46) })).toMatchObject({ seconds: 6, ended_at: second(46) });
  });

  test("a version taken back after it had come to 100% is one change, and a bad one", () => {
    const takenBack = { ...good(0, 10), ended: { at: second(50), outcome: "rolled_back", reason: "x" } };

    expect(dora([takenBack], 1)).toMatchObject({ deployments: 1, change_failure_percent: 100, lead_time_seconds: 10 });
  });
});

describe("traffic is restored", () => {
  test("when the last region is confirmed, not when the drain is over", () => {
    expect(restoredAt(bad)).toBe(second(18));
  });

  test("at the end of the rollback where a region was never confirmed, and not before there is one", () => {
    expect(restoredAt({ ...bad, shut: { a: second(16) } })).toBe(second(40));
    expect(restoredAt({ ...bad, shut: { a: second(16) }, ended: null })).toBeNull();
    expect(restoredAt({ ...bad, shut: {}, ended: { at: second(40), outcome: "failed", reason: "x" } })).toBeNull();
  });
});

test("a deployment counts from when users met it for good or ill, and never when they did not", () => {
  expect(countedAt(bad)).toBe(second(15));
  expect(countedAt(good(0, 10))).toBe(second(10));
  expect(countedAt(change({ ended: { at: second(3), outcome: "cancelled", reason: "x" } }))).toBeNull();
});

test("a bad deployment's cost says how many requests, how long, at what weight and why", () => {
  expect(costOf(bad)).toEqual({
    failed_requests: 12,
    slow_requests: null,
    max_weight_percent: 5,
    reason: "It fails 20%.",
    seconds: 8,
    ended_at: second(18),
  });
});

test("the median has as many values below it as above it", () => {
  expect(median([null])).toBeNull();
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values) as number;
      const below = values.filter((value) => value < middle).length;
      const above = values.filter((value) => value > middle).length;
      expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
    }),
  );
});
