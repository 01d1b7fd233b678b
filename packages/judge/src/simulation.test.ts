import { describe, expect, test } from "vitest";
import { type EProcessRule, errorRule, eValue, observe, startEProcess } from "./e-process.ts";

/** 5 s of a canary at 5 requests a second beside 95 on the baseline: the worked case that the thresholds were chosen by. */
const canary = 25;
const baseline = 475;
const lookSeconds = 5;
const strict: EProcessRule = { ...errorRule, r0: 1 };

function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Binomial by waiting times: as quick as the successes are rare. */
function binomial(random: () => number, n: number, p: number): number {
  let count = 0;
  for (let at = Math.floor(Math.log(1 - random()) / Math.log1p(-p)); at < n; count += 1) {
    at += 1 + Math.floor(Math.log(1 - random()) / Math.log1p(-p));
  }
  return count;
}

/** Seconds until the e-value reaches 1/alpha with at least four errors; undefined when it does not within the looks. */
function detect(
  rule: EProcessRule,
  rates: { canary: number; baseline: number },
  alpha: number,
  looks: number,
  seed: number,
) {
  const random = randomSource(seed);
  let process = startEProcess(rule);
  let errors = 0;
  for (let look = 1; look <= looks; look += 1) {
    const canaryBad = binomial(random, canary, rates.canary);
    errors += canaryBad;
    process = observe(process, rule, {
      canary,
      canaryBad,
      baseline,
      baselineBad: binomial(random, baseline, rates.baseline),
    });
    if (errors >= 4 && eValue(process) >= 1 / alpha) return { seconds: look * lookSeconds, errors };
  }
  return undefined;
}

const seeds = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe("a healthy canary", () => {
  test("reaches an e-value of 100 in at most one of a hundred rollouts, however often it is looked at", () => {
    const runs = 2_000;
    const alarms = seeds(runs).filter((seed) => reaches100(strict, 0.01, seed));

    expect(alarms.length / runs).toBeLessThanOrEqual(0.01);
    expect(alarms.length, "the boundary is not so far away that nothing could reach it").toBeGreaterThan(0);
  });

  test("is left alone during an incident that both sides share", () => {
    const shared = { canary: 0.05, baseline: 0.05 };

    expect(seeds(1_000).filter((seed) => detect(errorRule, shared, 1e-4, 24, seed) !== undefined)).toEqual([]);
  });
});

function reaches100(rule: EProcessRule, rate: number, seed: number): boolean {
  const random = randomSource(seed);
  let process = startEProcess(rule);
  for (let look = 0; look < 120; look += 1) {
    const canaryBad = binomial(random, canary, rate);
    process = observe(process, rule, { canary, canaryBad, baseline, baselineBad: binomial(random, baseline, rate) });
    if (eValue(process) >= 100) return true;
  }
  return false;
}

test("is a supermartingale: over healthy rollouts the mean e-value is at most one", () => {
  const runs = 20_000;
  const random = randomSource(11);
  let sum = 0;
  for (let run = 0; run < runs; run += 1) {
    const canaryBad = binomial(random, canary, 0.01);
    const baselineBad = binomial(random, baseline, 0.01);
    sum += eValue(observe(startEProcess(strict), strict, { canary, canaryBad, baseline, baselineBad }));
  }

  expect(sum / runs).toBeLessThanOrEqual(1.05);
});

describe("a canary at 2% beside 0.1%", () => {
  test.each([
    { name: "r0 = 1.5 (86 s, 8.6 failed requests)", rule: errorRule, seconds: 86, failed: 8.6 },
    { name: "r0 = 1 (69 s, 6.9 failed requests)", rule: strict, seconds: 69, failed: 6.9 },
  ])("is found about as soon as simulated elsewhere: $name", ({ rule, seconds, failed }) => {
    const found = seeds(1_000).map((seed) => detect(rule, { canary: 0.02, baseline: 0.001 }, 1e-4, 720, seed));
    const detected = found.filter((one) => one !== undefined);
    const mean = (of: "seconds" | "errors") => detected.reduce((sum, one) => sum + one[of], 0) / detected.length;

    expect(detected).toHaveLength(1_000);
    expect(mean("seconds")).toBeGreaterThan(seconds * 0.85);
    expect(mean("seconds")).toBeLessThan(seconds * 1.15);
    expect(mean("errors")).toBeGreaterThan(failed * 0.85);
    expect(mean("errors")).toBeLessThan(failed * 1.15);
  });
});
