import { describe, expect, test } from "vitest";
import { alarmLevel, type Detector, detect, detectorValue, startDetector } from "./shiryaev-roberts.ts";

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

const requests = 100;
const started = (seen = { requests: 200_000, errors: 200 }): Detector => {
  const detector = startDetector(seen);
  if (detector === null) throw new Error("nothing is usual");
  return detector;
};

/** Looks of a second until the level is reached; null when it is not within so many. */
function looksUntil(level: number, rate: (look: number) => number, looks: number, seed: number): number | null {
  const random = randomSource(seed);
  let detector = started();
  for (let look = 1; look <= looks; look += 1) {
    detector = detect(detector, { requests, errors: binomial(random, requests, rate(look)) });
    if (detectorValue(detector) >= level) return look;
  }
  return null;
}

const seeds = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe("what is usual", () => {
  test("is the rate of the canary's time with room above it, never less than 0.2%", () => {
    expect(started().reference).toBeGreaterThan(0.002);
    expect(started().reference).toBeLessThan(0.004);
    expect(started({ requests: 1_000_000, errors: 0 }).reference).toBe(0.002);
    expect(started({ requests: 500, errors: 0 }).reference).toBeGreaterThan(0.02);
  });

  test("is not known after a handful of requests, or where every fourth fails anyway", () => {
    expect(startDetector({ requests: 0, errors: 0 })).toBeNull();
    expect(startDetector({ requests: 30, errors: 0 })).toBeNull();
    expect(startDetector({ requests: 10_000, errors: 2_500 })).toBeNull();
  });
});

describe("false alarms", () => {
  test("stay below looks / level at the worst rate that counts as usual: the bound that the day's figure rests on", () => {
    const [level, looks, runs] = [1_000, 100, 1_500];
    const { reference } = started();
    const alarms = seeds(runs).filter((seed) => looksUntil(level, () => reference, looks, seed) !== null).length;

    expect(alarms / runs).toBeLessThanOrEqual(looks / level);
    expect(alarms, "the boundary is within reach").toBeGreaterThan(0);
    expect((24 * 3_600) / alarmLevel).toBeLessThan(0.002);
  });

  test("do not happen in ten days of a version that fails as often as it did during its canary", () => {
    const days = seeds(10).map((seed) => looksUntil(alarmLevel, () => 0.001, 24 * 3_600, seed));
    expect(days.filter((day) => day !== null)).toEqual([]);
  }, 60_000);

  test("do not come of a burst: five seconds in which half of the requests fail", () => {
    const burst = (look: number) => (look > 600 && look <= 605 ? 0.5 : 0.001);
    expect(seeds(20).filter((seed) => looksUntil(alarmLevel, burst, 1_200, seed) !== null)).toEqual([]);
  });

  test("do not come of seconds without requests, however many", () => {
    let detector = started();
    for (let i = 0; i < 100; i += 1) detector = detect(detector, { requests: 0, errors: 0 });
    expect(detectorValue(detector)).toBe(0);
  });
});

describe("a version that goes bad after an hour of health", () => {
  test.each([
    { rate: 0.02, within: 30 },
    { rate: 0.05, within: 14 },
    { rate: 0.2, within: 12 },
  ])(
    "at $rate is found within $within seconds on average at 100 requests a second",
    ({ rate, within }) => {
      const onset = 3_600;
      const found = seeds(25).map((seed) =>
        looksUntil(alarmLevel, (look) => (look > onset ? rate : 0.001), onset + 600, seed),
      );
      const delays = found.map((look) => (look ?? Number.POSITIVE_INFINITY) - onset);

      expect(Math.min(...delays), "never before it goes bad, nor by one look").toBeGreaterThan(5);
      expect(delays.reduce((sum, delay) => sum + delay, 0) / delays.length).toBeLessThan(within);
    },
    60_000,
  );
});
