import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { binomialCdf, binomialUpper } from "./binomial.ts";
import { provePass } from "./pass.ts";

const counts = (n: number, x: number, m = 10_000, y = 0) => ({
  canary_requests: n,
  canary_errors: x,
  baseline_requests: m,
  baseline_errors: y,
});

describe("the PASS rule", () => {
  test("without any error it takes exactly 459 requests", () => {
    expect(provePass(counts(458, 0)).pass).toBe(false);
    expect(provePass(counts(459, 0)).pass).toBe(true);
    expect(provePass(counts(0, 0)).requestsNeeded).toBe(459);
  });

  test("849 requests rule out one percent with two errors and not with three", () => {
    expect(provePass(counts(849, 2)).pass).toBe(true);
    expect(provePass(counts(849, 3)).pass).toBe(false);
    expect(provePass(counts(800, 2)).pass).toBe(false);
  });

  test("a baseline without traffic proves nothing", () => {
    expect(provePass(counts(100_000, 0, 0))).toMatchObject({ pass: false, requestsNeeded: null });
  });

  test("the requests it says are needed are the fewest that pass", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2_000 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 50 }),
        (n, x, y) => {
          const before = provePass(counts(Math.max(n, x), x, 10_000, y));
          const needed = before.requestsNeeded;
          if (needed === null || needed === 0) return;
          expect(provePass(counts(Math.max(n, x) + needed, x, 10_000, y)).pass).toBe(true);
          expect(provePass(counts(Math.max(n, x) + needed - 1, x, 10_000, y)).pass).toBe(false);
        },
      ),
    );
  });
});

describe("the binomial tails", () => {
  test("agree with values computed elsewhere", () => {
    expect(binomialCdf(0, 459, 0.01)).toBeCloseTo(0.99 ** 459, 14);
    expect(binomialCdf(3, 10, 0.5)).toBeCloseTo(0.171875, 14);
    expect(binomialUpper(8, 10, 0.5)).toBeCloseTo(0.0546875, 14);
    expect(binomialUpper(60, 1_000, 0.02)).toBeGreaterThan(0);
  });

  test("sum to one", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.nat(5_000),
        fc.double({ min: 0.0001, max: 0.9999, noNaN: true }),
        (n, x, p) => {
          expect(binomialCdf(x - 1, n, p) + binomialUpper(x, n, p)).toBeCloseTo(1, 9);
        },
      ),
    );
  });
});
