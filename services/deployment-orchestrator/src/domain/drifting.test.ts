import type { RegionName } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { newVersion, oldVersion } from "../../test/support/sample.ts";
import type { ScriptedWorld } from "../../test/support/scripted-world.ts";
import { epochsOf, failed, given, of, types } from "../../test/support/story.ts";
import type { TrafficSeen } from "./approved.ts";
import type { Drift } from "./deployment.ts";
import { driftOf } from "./drift.ts";

const a = "a" as RegionName;

/** What region `a` shows when nobody has touched it. */
function shown(world: ScriptedWorld, change: Partial<TrafficSeen> = {}): TrafficSeen {
  const percent = world.state.regions.a?.weightPercent ?? 0;
  const weights = { [oldVersion]: 100 - percent, [newVersion]: percent };
  return {
    exists: true,
    fence: { epoch: epochsOf(world).a ?? 0, gate: "open" },
    ...{ paused: null, weights, recorded: weights, routed: true, hiddenBy: null, writtenBy: "kubectl-edit" },
    resourceVersion: "9",
    ...change,
  };
}

const shares = (percent: number) => ({ [oldVersion]: 100 - percent, [newVersion]: percent });

function driftIn(world: ScriptedWorld, change: Partial<TrafficSeen>): Drift {
  const found = driftOf(world.state, "a", shown(world, change));
  if (found === null) throw new Error("no drift was found");
  return found;
}

function see(world: ScriptedWorld, change: Partial<TrafficSeen>, seen?: string) {
  const drift = { ...driftIn(world, change), ...(seen === undefined ? {} : { seen }) };
  return world.send({ type: "DriftSeen", region: a, epoch: epochsOf(world).a ?? 0, drift, now: world.now });
}

function gone(world: ScriptedWorld, percent: number) {
  return world.send({ type: "DriftGone", region: a, epoch: epochsOf(world).a ?? 0, percent, now: world.now });
}

describe("what a region shows", () => {
  const phases = ["preparing", "raising", "baking", "finishing", "watching"] as const;

  test.each(phases)("is no drift when it is what was decided, while %s", (phase) => {
    const world = given(phase);
    expect(driftOf(world.state, "a", shown(world))).toBeNull();
  });

  test("is no drift while a raise that is under way has taken hold and is not told yet", () => {
    const world = given("raising");
    world.settle(30, () => world.state.phase === "raising" && world.state.stage === "weighting");

    expect(driftOf(world.state, "a", shown(world, { weights: shares(5), recorded: shares(5) }))).toBeNull();
    expect(driftIn(world, { weights: shares(6), recorded: shares(0) }).kind).toBe("raised");
  });

  test("is no drift when a raise that a halt overtook takes hold late, and is one when it is somebody else's", () => {
    const world = given("raising", {}, 1);
    world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });

    expect(driftOf(world.state, "a", shown(world, { weights: shares(25), recorded: shares(25) }))).toBeNull();
    expect(driftIn(world, { weights: shares(25), recorded: shares(5) }).kind).toBe("raised");
  });

  test("belongs to a newer grant where its fence says so", () => {
    const world = given("baking");
    const fence = { epoch: 99, gate: "shut" } as const;
    expect(driftOf(world.state, "a", shown(world, { fence, weights: shares(0) }))).toBeNull();
  });

  test.each([
    ["raised", { weights: shares(40) }, /raised to 40%/],
    ["lowered", { weights: shares(2) }, /lowered to 2%/],
    ["rerouted", { weights: { [oldVersion]: 45, [newVersion]: 5, mine: 50 } }, /50% of the requests go to mine/],
    ["rerouted", { routed: false, weights: {} }, /was removed/],
    ["rerouted", { hiddenBy: "legacy" }, /route legacy takes every request/],
    ["paused", { paused: "maintenance" }, /maintenance/],
    ["unfenced", { fence: null }, /gone or cannot be read/],
    ["unfenced", { fence: { epoch: 0, gate: "open" as const } }, /older grant/],
    ["unfenced", { exists: false, fence: null, weights: {} }, /deleted/],
    ["shut", { fence: { epoch: 1, gate: "shut" as const } }, /shut/],
  ] as const)("is %s: %j", (kind, change, what) => {
    expect(driftIn(given("baking"), change)).toMatchObject({ kind, what: expect.stringMatching(what) });
  });
});

describe("a weight that somebody raised", () => {
  test("is repaired at once, told once, and leaves the deployment where it is", () => {
    const world = given("baking");

    const stride = see(world, { weights: shares(40) });

    expect(types(stride.commands)).toEqual(["RepairWeight", "TellDrift"]);
    expect(stride.after).toMatchObject({ phase: "baking", regions: { a: { weightPercent: 5 } } });
    expect(stride.after.regions.a?.reason).toBe("the weight was raised to 40% by kubectl-edit: repaired to 5%");
    expect(see(world, { weights: shares(40) }).commands).toEqual([]);
  });

  test("is repaired again when it is raised again to the same weight", () => {
    const world = given("baking");
    see(world, { weights: shares(40) });
    gone(world, 5);
    expect(world.state.regions.a?.reason).toMatch(/repaired/);

    expect(types(see(world, { weights: shares(40) }, "12").commands)).toEqual(["RepairWeight", "TellDrift"]);
  });

  test("before it was given any goes back to nothing, and on the way down it is lowered again", () => {
    expect(of(see(given("preparing"), { weights: shares(10) }).commands, "RepairWeight")).toHaveLength(1);
    const world = given("baking");
    failed(world);
    world.settle(6, () => world.state.regions.a?.state === "shut" || world.state.regions.a?.state === "draining");

    const shut = { epoch: 1, gate: "shut" as const };
    expect(of(see(world, { weights: shares(10), fence: shut }).commands, "LowerWeight")).toHaveLength(1);
  });
});

test("a way back whose version has requests already, by the gate that was shut for it, leaves them there", () => {
  const world = given("preparing", { rollsBack: "D-6" as never, strategy: "rollback" });
  expect(driftOf(world.state, "a", shown(world, { weights: shares(100) }))).toBeNull();
});

describe("a weight that somebody lowered", () => {
  test("is a halt: held, said by whom, and raised again only after a person resumes it, over exactly that lowering", () => {
    const world = given("baking");

    const stride = see(world, { weights: shares(2) });

    expect(stride).toMatchObject({ supersedes: true, after: { phase: "held", by: "kubectl-edit" } });
    expect(stride.after).toMatchObject({ why: "a: the weight was lowered to 2%", unblockedBy: expect.any(String) });
    expect(types(stride.commands)).toEqual(["deployment.held", "CheckWatch", "TellDrift"]);
    expect(gone(world, 2).after.phase).toBe("held");
    world.send({ type: "Resume", by: "ada", now: world.now });
    world.settle(20, () => of(world.emitted, "RaiseWeight").length > 2);
    expect(of(world.emitted, "RaiseWeight").slice(-2)).toMatchObject([
      { percent: 5, from: 2 },
      { percent: 5, from: 5 },
    ]);
  });

  test("while it is paused makes it wait for a person, not for the annotation", () => {
    const world = given("baking");
    see(world, { paused: "maintenance" });
    see(world, { weights: shares(1) });

    expect(gone(world, 1).after).toMatchObject({ phase: "held", why: "a: the weight was lowered to 1%" });
  });

  test.each(["baking", "raising", "paused"] as const)(
    "while a person holds what was %s is told and shown in its region, and leaves the person's reason where it is",
    (before) => {
      const world = given(before === "raising" ? "raising" : "baking", {}, before === "raising" ? 1 : 0);
      if (before === "paused") see(world, { paused: "maintenance" });
      world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });

      const stride = see(world, { weights: shares(1) });

      expect(types(stride.commands)).toEqual(["TellDrift"]);
      expect(stride.after).toMatchObject({
        phase: "held",
        why: "lunch",
        by: "ada",
        unblockedBy: "a person resumes it",
      });
      expect(stride.after.regions.a?.reason).toBe("the weight was lowered to 1% by kubectl-edit");
      expect(gone(world, 1).after).toMatchObject({ phase: "held", why: "lunch", by: "ada" });
    },
  );

  test("and then halted by a person is held by that person", () => {
    const world = given("baking");
    see(world, { weights: shares(2) });
    world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });

    expect(see(world, { weights: shares(1) }).after).toMatchObject({ phase: "held", why: "lunch", by: "ada" });
  });

  test("at 100% is shown and told, and nothing is undone", () => {
    const world = given("watching");

    const stride = see(world, { weights: shares(50) });

    expect(types(stride.commands)).toEqual(["TellDrift"]);
    expect(stride.after).toMatchObject({ phase: "watching", regions: { a: { weightPercent: 50 } } });
  });

  test.each(["watching", "baking"] as const)("in %s stays found for as long as it stays lowered", (phase) => {
    const world = given(phase);
    see(world, { weights: shares(2) });
    const { drift } = world.state.regions.a ?? {};

    expect(drift).toMatchObject({ kind: "lowered", percent: 2 });
    expect(driftOf(world.state, "a", shown(world, { weights: shares(2) }))).toEqual(drift);
  });
});

describe("slipway.dev/paused", () => {
  test("holds it with the reason, and it goes on by itself when the annotation is gone from every region", () => {
    const world = given("baking");

    expect(see(world, { paused: "maintenance" }).after).toMatchObject({
      phase: "held",
      why: "a: slipway.dev/paused: maintenance",
      unblockedBy: "slipway.dev/paused is removed",
    });
    expect(gone(world, 5).after).toMatchObject({ phase: "raising", step: 0 });
  });

  test("that a raise ran into is the same wait", () => {
    const world = given("raising");
    world.settle(20, () => world.state.phase === "raising" && world.state.stage === "weighting");
    const epoch = epochsOf(world).a ?? 0;
    world.send({ type: "RaiseRefused", region: a, epoch, step: 0, why: "paused", now: world.now });

    expect(gone(world, 0).after).toMatchObject({ phase: "raising" });
  });

  test("does not let a halt by a person go on", () => {
    const world = given("baking");
    see(world, { paused: "maintenance" });
    world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });

    expect(gone(world, 5).after).toMatchObject({ phase: "held", why: "lunch" });
  });
});

describe("a gate that is gone or shut", () => {
  test.each([
    ["baking", { fence: null }],
    ["baking", { exists: false, fence: null, weights: {} }],
    ["held", { fence: null }],
    ["finishing", { fence: null }],
    ["watching", { fence: { epoch: 1, gate: "shut" as const } }],
  ] as const)("takes back what is %s: %j", (phase, change) => {
    const world = given(phase === "held" ? "baking" : phase);
    if (phase === "held") world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });

    const stride = see(world, change);

    expect(stride.after.phase).toBe("restoring");
    expect(of(stride.commands, "LowerWeight")).toHaveLength(2);
    world.settle(200);
    expect(world.state.phase).toBe("rolled_back");
  });

  test("ends what has no weight yet without a ban", () => {
    const world = given("preparing");
    see(world, { fence: null });
    world.settle(100);
    expect(world.state.phase).toBe("failed");
  });

  test("at 100% only shows that the annotation is gone: nothing would be raised by it", () => {
    expect(see(given("watching"), { fence: null }).after.phase).toBe("watching");
  });
});
