import { deploymentTopic, parseEvent, watchTopic } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Facts, factsOfDeployment, factsOfWatch, merge } from "./facts.ts";

const second = (n: number) => `2026-01-01T00:00:${String(n).padStart(2, "0")}.000Z` as Instant;
const about = {
  deployment_id: "D-7",
  service: "orders",
  environment: "prod",
  version: "orders-3f2a91c-x7k2p",
  digest: `sha256:${"0".repeat(64)}`,
  git_sha: "3f2a91c".padEnd(40, "0"),
  regions: ["us-east-1", "eu-west-1"],
};
const counts = { canary_requests: 40, canary_errors: 8, baseline_requests: 760, baseline_errors: 0 };
const judgement = {
  ...{ step: 0, weight_percent: 5, verdict: "FAIL", sentence: "It fails 20%.", requests_needed: null },
  ...{ counts, regions: {}, window_from: second(9), at: second(15) },
};

function told(type: string, data: object, at: Instant): Facts {
  const datacontenttype = "application/json" as const;
  const event = { specversion: "1.0" as const, id: "e", source: "s", subject: "D-7", time: at, datacontenttype };
  const of = { ...event, type, data: { ...about, ...data } };
  const deployment = parseEvent(deploymentTopic, of);
  return deployment === undefined ? factsOfWatch(parseEvent(watchTopic, of)!) : factsOfDeployment(deployment, at);
}

const story: readonly Facts[] = [
  told("deployment.accepted", { strategy: "canary", requested_by: "alice", baselines: {} }, second(1)),
  told("deployment.step_started", { step: 0, weight_percent: 5 }, second(10)),
  told("watch.failed", { epochs: {}, judgement, first_error_at: null }, second(15)),
  told("watch.shut_confirmed", { region: "us-east-1", epoch: 1, seq: 2, at: second(16) }, second(17)),
  told("watch.shut_confirmed", { region: "eu-west-1", epoch: 1, seq: 2, at: second(18) }, second(18)),
  told("deployment.rolled_back", { reason: "It fails 20%." }, second(30)),
  told("watch.ended", { outcome: "rolled_back", regions: {}, failed_requests: 11 }, second(31)),
];
const together = story.reduce(merge);

describe("the facts of a deployment", () => {
  test("are put together from its events", () => {
    expect(together).toEqual({
      id: "D-7",
      service: "orders",
      environment: "prod",
      version: "orders-3f2a91c-x7k2p",
      gitSha: about.git_sha,
      regions: ["eu-west-1", "us-east-1"],
      exposedAt: second(9),
      succeededAt: null,
      caught: { at: second(15), reason: "It fails 20%." },
      wayBack: null,
      ended: { at: second(30), outcome: "rolled_back", reason: "It fails 20%." },
      maxWeightPercent: 5,
      failedRequests: 11,
      slowRequests: null,
      shut: { "eu-west-1": second(18), "us-east-1": second(16) },
    });
  });

  test("are the same in whatever order the events come, and however often", () => {
    const inAnyOrder = fc
      .tuple(fc.shuffledSubarray([...story], { minLength: story.length }), fc.array(fc.constantFrom(...story)))
      .map(([all, again]) => [...all, ...again]);
    fc.assert(
      fc.property(inAnyOrder, (events) => {
        expect(events.reduce(merge)).toEqual(together);
      }),
    );
  });

  test("one that was caught for slowness has its slow requests", () => {
    const slow = { ...judgement, counts: { ...counts, canary_errors: 0, canary_slow: 31 } };
    const caught = told("watch.failed", { epochs: {}, judgement: slow, first_error_at: null }, second(15));

    expect(caught).toMatchObject({ failedRequests: 0, slowRequests: 31 });
  });

  test("one that was found bad after it had ended well is caught by whoever found it, and names what leads away from it", () => {
    const bad = { reason: "it smells", by: "ada", way_back: "D-8" };

    expect(told("deployment.found_bad", bad, second(40))).toMatchObject({
      ...{ caught: { at: second(40), reason: "it smells" }, wayBack: "D-8", ended: null },
    });
  });

  test("a success is 100%, at the time of its event", () => {
    expect(told("deployment.succeeded", { created_at: second(1) }, second(40))).toMatchObject({
      succeededAt: second(40),
      maxWeightPercent: 100,
    });
  });
});

const moment = fc.option(fc.integer({ min: 0, max: 9 }).map(second), { nil: null });
const anyFacts: fc.Arbitrary<Facts> = fc.record({
  ...{ id: fc.constant("D-1"), service: fc.constant("s"), environment: fc.constant("e"), version: fc.constant("v") },
  gitSha: fc.constantFrom(null, "a"),
  regions: fc.constantFrom([], ["a"], ["a", "b"]),
  exposedAt: moment,
  succeededAt: moment,
  caught: fc.option(fc.record({ at: fc.constantFrom(second(1), second(2)), reason: fc.constantFrom("x", "y") }), {
    nil: null,
  }),
  wayBack: fc.constantFrom(null, "D-2"),
  ended: fc.option(
    fc.record({
      at: fc.constantFrom(second(1), second(2)),
      outcome: fc.constantFrom("failed", "rolled_back"),
      reason: fc.constantFrom("x", "y"),
    }),
    { nil: null },
  ),
  maxWeightPercent: fc.option(fc.integer({ min: 0, max: 100 }), { nil: null }),
  failedRequests: fc.option(fc.nat(), { nil: null }),
  slowRequests: fc.option(fc.nat(), { nil: null }),
  shut: fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom(second(1), second(2)), { noNullPrototype: true }),
});

test("law: merging is commutative, associative and idempotent", () => {
  fc.assert(
    fc.property(anyFacts, anyFacts, anyFacts, (a, b, c) => {
      expect(merge(a, b)).toEqual(merge(b, a));
      expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)));
      expect(merge(a, a)).toEqual(a);
    }),
  );
});
