import { describe, expect, test } from "vitest";
import { holdsRamp, type JudgeState, type Look, look, type Sample, startJudge, startWindow, verdict } from "./judge.ts";

const regions = ["a", "b", "c"];
const bounds = [5, 10, 25, 50, 100, Number.POSITIVE_INFINITY];

function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type World = { readonly canaryError: number; readonly baselineError: number; readonly canarySlow?: number };

function sample(random: () => number, requests: number, error: number, slow: number): Sample {
  const hosts = { one: { requests: 0, errors: 0 }, two: { requests: 0, errors: 0 } };
  const counts = bounds.map(() => 0);
  let errors = 0;
  for (let i = 0; i < requests; i += 1) {
    const host = random() < 0.5 ? hosts.one : hosts.two;
    const bad = random() < error ? 1 : 0;
    errors += bad;
    host.requests += 1;
    host.errors += bad;
    const ms = random() < slow ? 80 : 2 + random() * 7;
    bounds.forEach((edge, j) => {
      if (ms <= edge) counts[j] = (counts[j] as number) + 1;
    });
  }
  return { requests, errors, latency: { le: bounds, counts }, hosts };
}

function run(
  world: World,
  looks: number,
  seed: number,
): { state: JudgeState; failedAt: number | null; requests: number } {
  const random = randomSource(seed);
  let state = startJudge("canary");
  for (let i = 0; i < looks; i += 1) {
    const seen: Look = {
      regions: Object.fromEntries(
        regions.map((region) => [
          region,
          {
            canary: sample(random, 5, world.canaryError, world.canarySlow ?? 0.005),
            baseline: sample(random, 95, world.baselineError, 0.005),
          },
        ]),
      ),
    };
    state = look(state, seen);
    if (verdict(state, regions).verdict === "FAIL")
      return { state, failedAt: i, requests: state.total.canary_requests };
  }
  return { state, failedAt: null, requests: state.total.canary_requests };
}

describe("the judge", () => {
  test("passes a healthy canary once every region has brought its requests", () => {
    const { state } = run({ canaryError: 0, baselineError: 0 }, 31, 1);

    const found = verdict(state, regions);

    expect(found).toMatchObject({ verdict: "PASS", requestsNeeded: 0, counts: { canary_requests: 465 } });
    expect(verdict(state, [...regions, "silent"]).verdict).toBe("NONE");
  });

  test("asks for the evidence again at each step", () => {
    const { state } = run({ canaryError: 0, baselineError: 0 }, 31, 1);

    expect(verdict(startWindow(state), regions)).toMatchObject({ verdict: "NONE" });
  });

  test("holds the ramp before it fails the canary, and lets it go when the evidence has gone", () => {
    const random = randomSource(3);
    const none: Sample = { requests: 0, errors: 0, latency: { le: [], counts: [] }, hosts: {} };
    const region = (errors: number, requests = 5) => ({
      canary: { ...none, requests, errors, hosts: { one: { requests, errors } } },
      baseline: sample(random, 95, 0, 0),
    });
    const add = (state: JudgeState, errors: number) => look(state, { regions: { a: region(errors) } });
    const after = (errors: number) =>
      verdict(
        Array.from({ length: errors }).reduce<JudgeState>((state) => add(state, 1), startJudge("canary")),
        ["a"],
      );

    expect([0, 1].map((errors) => holdsRamp(after(errors).evidence))).toEqual([false, false]);
    expect(after(3)).toMatchObject({ verdict: "NONE" });
    expect(holdsRamp(after(3).evidence)).toBe(true);
    let state = Array.from({ length: 3 }).reduce<JudgeState>((all) => add(all, 1), startJudge("canary"));
    const bad = { canary: none, baseline: { ...none, requests: 95, errors: 5 } };
    for (let i = 0; i < 30; i += 1) state = look(state, { regions: { a: { ...bad, canary: region(0).canary } } });
    expect(holdsRamp(verdict(state, ["a"]).evidence)).toBe(false);
  });

  test("one stall of a slow host holds nothing", () => {
    const random = randomSource(11);
    let { state } = run({ canaryError: 0, baselineError: 0 }, 40, 11);
    const stalled = { canary: sample(random, 75, 0, 1), baseline: sample(random, 225, 0, 0.005) };
    state = look(state, { regions: { a: stalled } });
    expect(holdsRamp(verdict(state, ["a"]).evidence)).toBe(false);
  });

  test("fails one request in five failing after few failed requests", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { failedAt, state } = run({ canaryError: 0.2, baselineError: 0 }, 200, seed);
      expect(failedAt, `seed ${seed}`).not.toBeNull();
      expect(state.total.canary_errors, `seed ${seed}`).toBeLessThanOrEqual(25);
    }
  });

  test("fails a canary that is slow and answers everything, and counts the requests over the limit", () => {
    const { failedAt, state, requests } = run({ canaryError: 0, baselineError: 0, canarySlow: 0.2 }, 200, 7);

    const found = verdict(state, regions);

    expect(failedAt).not.toBeNull();
    expect(found.slow).toBeGreaterThanOrEqual(10);
    expect(found.sentence).toMatch(
      new RegExp(
        `^${found.slow} of ${requests} requests were slower than the baseline's slowest hundredth \\(over 10 ms\\)`,
      ),
    );
  });

  test("a FAIL that comes from errors speaks of no slow requests", () => {
    const { state } = run({ canaryError: 0.2, baselineError: 0 }, 200, 1);

    expect(verdict(state, regions)).toMatchObject({ verdict: "FAIL", slow: null });
  });

  test("does not take one stall for a slow release", () => {
    const random = randomSource(11);
    let { state } = run({ canaryError: 0, baselineError: 0 }, 40, 11);
    const stalled = sample(random, 75, 0, 1);
    const usual = sample(random, 225, 0, 0.005);

    state = look(state, { regions: { a: { canary: stalled, baseline: usual } } });

    expect(verdict(state, ["a"]).verdict).not.toBe("FAIL");
  });

  test("does not blame the canary for an incident that both sides share", () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      expect(run({ canaryError: 0.05, baselineError: 0.05 }, 300, seed).failedAt, `seed ${seed}`).toBeNull();
    }
  });

  test("a hundred healthy rollouts are all left alone", () => {
    const failed = Array.from({ length: 100 }, (_, seed) =>
      run({ canaryError: 0.001, baselineError: 0.001 }, 120, seed + 1),
    ).filter((r) => r.failedAt !== null);
    expect(failed).toEqual([]);
  });

  test("takes a version that is dead on arrival out after twenty requests, also without a baseline", () => {
    const dead: Sample = {
      requests: 20,
      errors: 20,
      latency: { le: [], counts: [] },
      hosts: { one: { requests: 20, errors: 20 } },
    };
    const none: Sample = { requests: 0, errors: 0, latency: { le: [], counts: [] }, hosts: {} };

    const state = look(startJudge("absolute"), { regions: { a: { canary: dead, baseline: none } } });

    expect(verdict(state, ["a"])).toMatchObject({ verdict: "FAIL" });
  });

  test("one guilty host among several does not condemn the version", () => {
    const canary: Sample = {
      requests: 100,
      errors: 20,
      latency: { le: [], counts: [] },
      hosts: { one: { requests: 50, errors: 20 }, two: { requests: 50, errors: 0 } },
    };
    const baseline: Sample = { requests: 1_900, errors: 0, latency: { le: [], counts: [] }, hosts: {} };

    const state = look(startJudge("canary"), { regions: { a: { canary, baseline } } });

    expect(verdict(state, ["a"]).verdict).toBe("NONE");
  });

  test("a version of which none is reached any more is condemned, however many of its hosts answered well before", () => {
    const latency = { le: [], counts: [] };
    const host = { requests: 400, errors: 0 };
    const well: Sample = { requests: 1_200, errors: 0, latency, hosts: { one: host, two: host, three: host } };
    const gone: Sample = { requests: 20, errors: 20, latency, hosts: {} };
    const baseline: Sample = { requests: 1_000, errors: 0, latency, hosts: {} };
    const looks = (...canaries: readonly Sample[]) =>
      canaries.reduce((state, canary) => look(state, { regions: { a: { canary, baseline } } }), startJudge("canary"));

    expect(verdict(looks(well), ["a"]).verdict).toBe("PASS");
    expect(verdict(looks(well, gone), ["a"])).toMatchObject({
      verdict: "FAIL",
      sentence: expect.stringMatching(/^20 of 1220 requests failed/) as string,
    });
  });
});
