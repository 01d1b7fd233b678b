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

test("the first error of the canary is remembered, whatever comes after", () => {
  const first = addLook(startLooking(spec, start), seen(10, 2), start);

  expect(addLook(first, seen(10, 2), later).firstErrorAt).toBe(start);
  expect(addLook(startLooking(spec, start), seen(10), later).firstErrorAt).toBeNull();
});
