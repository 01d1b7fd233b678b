import type { RegionName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { epochsOf, failed, given, of } from "../../test/support/story.ts";

test("a FAIL is written down with the gate, its numbers and what the version had in each region", () => {
  const world = given("baking");

  failed(world);

  expect(of(world.emitted, "AuditTakeBack")).toMatchObject([
    {
      actor: "rollback-controller",
      detail: {
        ...{ because: "WatchFailed", verdict: "FAIL", reason: "FAIL at 5%", weights: { a: 5, b: 5 } },
        evidence: { gate: world.state.gates.length, counts: { canary_errors: 100 } },
      },
    },
  ]);
});

test("what somebody's shut gate leads to is the platform's own doing, and says whose gate it was", () => {
  const world = given("baking");
  const drift = { kind: "shut", what: "the gate is shut", by: "kubectl-edit", percent: 5, seen: "7" } as const;
  const [epoch = 1] = Object.values(epochsOf(world));

  world.send({ type: "DriftSeen", region: "a" as RegionName, epoch, drift, now: world.now });

  expect(of(world.emitted, "AuditTakeBack")).toMatchObject([
    {
      actor: "slipway",
      detail: { because: "DriftSeen", reason: "a: the gate is shut", verdict: null, evidence: null },
    },
  ]);
  expect(of(world.emitted, "TellDrift")).toMatchObject([{ by: "kubectl-edit" }]);
});

test("a person's rollback, and the end of what never had a request, write nothing here", () => {
  const byHand = given("baking");
  byHand.send({ type: "Rollback", by: "ada", reason: "it smells", now: byHand.now });
  const early = given("preparing");
  early.send({ type: "LockLost", to: "D-9", now: early.now });

  expect([byHand.state.phase, early.state.phase]).toEqual(["restoring", "restoring"]);
  expect([...of(byHand.emitted, "AuditTakeBack"), ...of(early.emitted, "AuditTakeBack")]).toEqual([]);
});
