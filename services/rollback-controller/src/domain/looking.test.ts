import type { Look, Sample } from "@slipway/judge";
import { addMs } from "@slipway/kernel";
import { expect, test } from "vitest";
import { sampleSpec, start } from "../../test/support/sample.ts";
import { addLook, judgementOf, type Looking, moveTo, startLooking } from "./looking.ts";

const spec = sampleSpec();
const sample = (requests: number, errors = 0): Sample => {
  const hosts = {
    one: { requests: requests / 2, errors: errors / 2 },
    two: { requests: requests / 2, errors: errors / 2 },
  };
  return { requests, errors, latency: { le: [], counts: [] }, hosts };
};
const seen = (requests: number, errors = 0): Look => {
  const region = { canary: sample(requests, errors), baseline: sample(1_000) };
  return { regions: { a: region, b: region } };
};
const later = addMs(start, 60_000);

function looks(count: number, from: Looking = startLooking(spec, start)): Looking {
  let looking = from;
  for (let i = 0; i < count; i += 1) looking = addLook(looking, seen(10), start);
  return looking;
}

test("evidence of all regions is pooled, and each region's own is shown", () => {
  const judged = judgementOf(looks(23), spec, later);

  expect(judged).toMatchObject({ verdict: "PASS", step: 0, weight_percent: 5, window_from: start, at: later });
  expect(judged.counts.canary_requests).toBe(460);
  expect(judged.regions.a).toMatchObject({ canary_requests: 230, baseline_requests: 23_000 });
});

test("a region that says nothing keeps the whole from passing", () => {
  const alone = { regions: { a: seen(600).regions.a! } };

  expect(judgementOf(addLook(startLooking(spec, start), alone, start), spec, later).verdict).toBe("NONE");
});

test("the next step begins a window of its own for PASS and keeps what speaks for FAIL", () => {
  const two = { regions: { a: { canary: sample(10, 2), baseline: sample(1_000) } } };
  const before = addLook(looks(23), two, start);

  const moved = moveTo(before, sampleSpec({ step: 1, weight_percent: 25 }), later);

  expect(judgementOf(moved, spec, later)).toMatchObject({ verdict: "NONE", step: 1, window_from: later });
  expect(moved.judge.errors).toEqual(before.judge.errors);
  expect(moved.totals.a?.canary_errors).toBe(2);
});

test("the weight's own window begins when it is served everywhere, after a look at each region, and keeps what speaks for FAIL", () => {
  const before = looks(23);
  const served = sampleSpec({ window_from: later });
  const asked = moveTo(before, served, later);
  expect(moveTo(asked, served, later)).toBe(asked);

  const onlyA = addLook(asked, { regions: { a: { canary: sample(500, 3), baseline: sample(1_000) } } }, later);
  expect(judgementOf(onlyA, served, later)).toMatchObject({ window_from: start });
  const both = addLook(onlyA, seen(500), later);

  const begun = judgementOf(both, served, later);
  expect(begun).toMatchObject({ verdict: "NONE", window_from: later, counts: { canary_requests: 0 } });
  expect(both.totals.a?.canary_errors).toBe(3);
  expect(judgementOf(addLook(both, seen(300), later), served, later).counts.canary_requests).toBe(600);
});

test("a FAIL counts what its sentence speaks of, also what came before the weight's own window", () => {
  const served = sampleSpec({ window_from: later });
  const begun = addLook(addLook(startLooking(served, start), seen(100, 4), start), seen(100, 4), start);

  const judged = judgementOf(begun, served, later);

  expect(judged).toMatchObject({ verdict: "FAIL", window_from: later });
  expect(judged.sentence).toContain("16 of 400 requests failed");
  expect(judged.counts).toMatchObject({ canary_requests: 400, canary_errors: 16, baseline_requests: 4_000 });
  expect(judged.regions.a).toMatchObject({ canary_requests: 200, canary_errors: 8 });
});

test("a FAIL that comes from slowness counts the slow requests of its sentence", () => {
  const timed = (requests: number, slow: number): Sample => ({
    ...sample(requests),
    latency: { le: [10, 50, Number.POSITIVE_INFINITY], counts: [requests - slow, requests, requests] },
  });
  let looking = startLooking(spec, start);
  for (let i = 0; i < 20; i += 1) {
    const region = { canary: timed(10, 4), baseline: timed(1_000, 5) };
    looking = addLook(looking, { regions: { a: region, b: region } }, start);
  }

  const judged = judgementOf(looking, spec, later);

  expect(judged).toMatchObject({ verdict: "FAIL", counts: { canary_requests: 400, canary_errors: 0 } });
  expect(judged.counts.canary_slow).toBeGreaterThan(100);
  expect(judged.sentence).toContain(`${judged.counts.canary_slow} of 400 requests were slower`);
});

test("a watch that begins with the window asked for gathers for it from the first look at each region on", () => {
  const served = sampleSpec({ window_from: later });
  const begun = addLook(startLooking(served, start), seen(500), start);

  expect(judgementOf(begun, served, later)).toMatchObject({ window_from: later, counts: { canary_requests: 0 } });
});

test("the same step asked for again changes nothing", () => {
  const before = looks(5);

  expect(moveTo(before, spec, later)).toBe(before);
});

test("at 100% the judge turns absolute: it no longer compares", () => {
  const live = moveTo(looks(23), sampleSpec({ mode: "live", step: 2, weight_percent: 100 }), later);

  expect(live.judge).toMatchObject({ mode: "absolute", total: { canary_requests: 0 } });
  const dead = addLook(live, seen(20, 20), later);
  expect(judgementOf(dead, sampleSpec({ mode: "live" }), later).verdict).toBe("FAIL");
});

test("after promotion a rise over what was usual during the canary is found, verified or not, and one bad host is none", () => {
  const spec = sampleSpec({ mode: "verified", step: 2, weight_percent: 100 });
  const live = moveTo(looks(200), sampleSpec({ mode: "live", step: 2, weight_percent: 100 }), later);
  const after = (errors: number, from: Looking) => {
    let looking = from;
    for (let i = 0; i < 40; i += 1) looking = addLook(looking, seen(100, errors), later);
    return judgementOf(moveTo(looking, spec, later), spec, later);
  };

  expect(after(0, live).verdict).toBe("NONE");
  expect(after(4, live)).toMatchObject({ verdict: "FAIL", sentence: expect.stringContaining("is usual") });
  const oneHost = { requests: 100, errors: 8, latency: { le: [], counts: [] } };
  const lopsided = { ...oneHost, hosts: { one: { requests: 50, errors: 8 }, two: { requests: 50, errors: 0 } } };
  let guilty = live;
  for (let i = 0; i < 40; i += 1)
    guilty = addLook(guilty, { regions: { a: { canary: lopsided, baseline: sample(0) } } }, later);
  expect(judgementOf(guilty, spec, later).verdict).toBe("NONE");
});

test("the evidence goes with each judgement while there is something to compare with", () => {
  expect(judgementOf(looks(5), spec, later).evidence).toBeLessThan(100);
  const bad = { regions: { a: { canary: sample(10, 4), baseline: sample(1_000) } } };
  expect(judgementOf(addLook(looks(5), bad, start), spec, later).evidence).toBeGreaterThanOrEqual(100);
  const live = sampleSpec({ mode: "live", step: 2 });
  expect(judgementOf(moveTo(looks(5), live, later), live, later).evidence).toBeUndefined();
});

test("the first error of the canary is remembered, whatever comes after", () => {
  const first = addLook(startLooking(spec, start), seen(10, 2), start);

  expect(addLook(first, seen(10, 2), later).firstErrorAt).toBe(start);
  expect(addLook(startLooking(spec, start), seen(10), later).firstErrorAt).toBeNull();
});
