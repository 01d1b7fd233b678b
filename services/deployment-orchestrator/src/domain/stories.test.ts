import { describe, expect, test } from "vitest";
import { grantOf, judgement, minuteMs, newVersion, oldVersion, threeSteps } from "../../test/support/sample.ts";
import { epochsOf, failed, given, judged, of, two, types } from "../../test/support/story.ts";
import { deploymentView, waitingOf } from "./view.ts";

describe("a healthy canary", () => {
  test("climbs step by step in lock-step, settles, gives the lock back and is verified", () => {
    const world = given("verified");

    const raised = of(world.emitted, "RaiseWeight").map(({ region, percent }) => `${region} ${percent}`);
    expect(raised).toEqual(["a 5", "b 5", "a 25", "b 25", "a 100", "b 100"]);
    expect(of(world.emitted, "Follow").map(({ version }) => version)).toEqual([newVersion, newVersion]);
    expect(of(world.emitted, "DrainAndRetire").map(({ version }) => version)).toEqual([oldVersion, oldVersion]);
    expect(of(world.emitted, "ReleaseLock")).toEqual([{ type: "ReleaseLock", holder: "D-7" }]);
    expect(world.state.gates.map(({ verdict }) => verdict)).toEqual(["PASS", "PASS"]);
  });

  test("has workload, watch and weight in this order, at every step", () => {
    const world = given("verified");

    const order = types(world.emitted).filter((type) => /PrepareWorkload|ArmWatch|RaiseWeight/.test(type));
    // The second time when the weight is served: its own evidence begins then.
    const step = ["PrepareWorkload", "PrepareWorkload", "ArmWatch", "RaiseWeight", "RaiseWeight", "ArmWatch"];
    expect(order).toEqual([
      "PrepareWorkload",
      "PrepareWorkload",
      "ArmWatch",
      ...step,
      ...step,
      ...step,
      "ArmWatch",
      "ArmWatch",
    ]);
  });

  test("raises nothing while one region is not ready", () => {
    const world = given("preparing");
    const first = world.claimable.find(({ command }) => command.type === "PrepareWorkload");

    world.perform(first!);

    expect(of(world.emitted, "ArmWatch")).toEqual([]);
  });
});

describe("the gate", () => {
  test("does not open on a PASS that was gathered before every region served the weight", () => {
    const world = given("baking", {}, 1);
    const early = judgement({ verdict: "PASS", step: 1, weightPercent: 25, regions: two, at: world.now });

    world.send({ type: "Judged", judgement: early, epochs: epochsOf(world), now: world.now });

    expect(world.state).toMatchObject({ phase: "baking", step: 1, latest: null });
  });

  test("does not open by time alone: without a verdict the canary stays where it is", () => {
    const world = given("baking");
    world.pass(11 * minuteMs);
    judged(world, "NONE");

    const stride = world.send({ type: "TimeReached", purpose: "bake", now: world.now });

    expect(stride.after).toMatchObject({ phase: "baking", step: 0 });
    expect(stride.commands).toEqual([]);
  });

  test("does not open by a PASS alone: the time has to pass as well", () => {
    const world = given("baking");

    expect(judged(world, "PASS").after.phase).toBe("baking");
    world.pass(11 * minuteMs);
    expect(world.send({ type: "TimeReached", purpose: "bake", now: world.now }).after.phase).toBe("raising");
  });

  test("does not believe a PASS whose counts prove nothing", () => {
    const world = given("baking");
    world.pass(11 * minuteMs);

    expect(judged(world, "PASS", 0, 100).after.phase).toBe("baking");
  });

  test("asks for requests from every region", () => {
    const world = given("baking");
    world.pass(11 * minuteMs);
    const pooled = judgement({ verdict: "PASS", regions: two, requests: 600 });
    const thin = { ...pooled.counts, canary_requests: 45 };
    const lopsided = { ...pooled, regions: { ...pooled.regions, b: thin } };

    world.send({ type: "Judged", judgement: lopsided, epochs: epochsOf(world), now: world.now });

    expect(world.state.phase).toBe("baking");
  });

  test("takes no PASS of another step or another grant", () => {
    const world = given("baking");
    world.pass(11 * minuteMs);
    const pass = judgement({ verdict: "PASS", regions: two, at: world.now });

    world.send({ type: "Judged", judgement: { ...pass, step: 1 }, epochs: epochsOf(world), now: world.now });
    world.send({ type: "Judged", judgement: pass, epochs: grantOf(two, 9), now: world.now });

    expect(world.state.phase).toBe("baking");
  });

  test("gives a canary without evidence back after a day", () => {
    const world = given("baking");
    world.pass(24 * 60 * minuteMs);

    const stride = world.send({ type: "TimeReached", purpose: "evidence", now: world.now });

    expect(stride.after).toMatchObject({ phase: "restoring", reason: expect.stringContaining("NO_EVIDENCE") });
  });

  test("outside production asks for no evidence, and still acts on a FAIL", () => {
    const world = given("baking", { production: false });
    world.pass(11 * minuteMs);
    const raised = world.send({ type: "TimeReached", purpose: "bake", now: world.now });
    expect(raised.after).toMatchObject({ phase: "raising", step: 1 });

    expect(failed(world).after.phase).toBe("restoring");
  });
});

describe("a person", () => {
  test("promotes: the bake ends early, the gate stays", () => {
    const world = given("baking");
    const promote = { type: "Promote", by: "ada", expectedStep: 0, now: world.now } as const;

    expect(world.send(promote).after).toMatchObject({ phase: "baking", promotedBy: "ada" });
    expect(judged(world, "PASS").after).toMatchObject({ phase: "raising", step: 1 });
  });

  test("approves a step that has too few requests for a verdict: it goes on when its time is up, and the next one asks for its own", () => {
    const world = given("baking");
    const approve = () => world.send({ type: "Approve", by: "grace", reason: "a quiet service", now: world.now });

    expect(approve().after).toMatchObject({ phase: "baking", step: 0, approval: { by: "grace" } });
    world.pass(11 * minuteMs);
    expect(world.send({ type: "TimeReached", purpose: "bake", now: world.now }).after).toMatchObject({ step: 1 });
    world.settle(20, () => world.state.phase === "baking");
    world.pass(11 * minuteMs);

    expect(world.send({ type: "TimeReached", purpose: "bake", now: world.now }).after).toMatchObject({
      ...{ phase: "baking", step: 1 },
    });
    expect(approve().after).not.toMatchObject({ phase: "baking", step: 1 });
  });

  test("cannot approve away a FAIL, which takes it back all the same", () => {
    const world = given("baking");
    world.send({ type: "Approve", by: "grace", reason: "a quiet service", now: world.now });

    expect(failed(world).after.phase).toBe("restoring");
  });

  test("may not promote a step that is another one by now, or without naming it a moment after it began", () => {
    const world = given("baking");

    const wrong = world.send({ type: "Promote", by: "ada", expectedStep: 1, now: world.now });
    const soon = world.send({ type: "Promote", by: "ada", expectedStep: null, now: world.now });
    world.pass(10_000);
    const later = world.send({ type: "Promote", by: "ada", expectedStep: null, now: world.now });

    expect([wrong.refused, soon.refused, later.refused]).toEqual([true, true, false]);
  });

  test("halts and resumes: the step begins again, at its own weight", () => {
    const world = given("baking", {}, 1);

    const halted = world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });
    expect(halted).toMatchObject({ supersedes: true, after: { phase: "held", step: 1, why: "lunch" } });
    const from = world.emitted.length;
    const resumed = world.send({ type: "Resume", by: "ada", now: world.now });
    world.settle(20, () => world.state.phase === "baking");

    expect(of(resumed.commands, "Publish")[0]?.event).toMatchObject({
      type: "deployment.resumed",
      data: { by: "ada" },
    });
    expect(of(world.emitted.slice(from), "RaiseWeight").map(({ percent }) => percent)).toEqual([25, 25]);
    expect(world.state).toMatchObject({ phase: "baking", step: 1 });
  });

  test("approves a first step above 5%, and only then it is raised", () => {
    const steps = [{ weightPercent: 25, bakeMs: minuteMs }, ...threeSteps.slice(2)];
    const world = given("awaiting_approval", { steps });
    expect(of(world.emitted, "RaiseWeight")).toEqual([]);
    expect(waitingOf(world.state)?.unblockedBy).toMatch(/: slipway approve D-\d+ --as approver$/);

    const approved = world.send({ type: "Approve", by: "grace", reason: "urgent", now: world.now });
    world.settle(20, () => world.state.phase === "baking");

    expect(of(approved.commands, "Publish")[0]?.event).toMatchObject({
      type: "deployment.approved",
      data: { by: "grace", reason: "urgent" },
    });

    expect(of(world.emitted, "RaiseWeight")).toMatchObject([
      { percent: 25, proven: true },
      { percent: 25, proven: true },
    ]);
  });

  test("is asked again when the proof grew too old", () => {
    const world = given("baking");
    judged(world, "PASS");
    world.pass(25 * 60 * minuteMs);

    world.send({ type: "TimeReached", purpose: "bake", now: world.now });

    expect(world.state).toMatchObject({ phase: "awaiting_approval", step: 1 });
    expect(failed(world).after).toMatchObject({ phase: "restoring", outcome: "rolled_back" });
  });
});

describe("the way back", () => {
  const unprovenIn = (world: ReturnType<typeof given>) =>
    Object.entries(deploymentView(world.state, world.now).regions).flatMap(([name, { unproven }]) =>
      unproven === undefined ? [] : [[name, unproven]],
    );
  const perform = (world: ReturnType<typeof given>, type: string, region: string) =>
    world.perform(
      world.claimable.find(({ command }) => {
        return command.type === type && "region" in command && command.region === region;
      })!,
    );

  test("says of a region since when weight 0 is written there and not yet proven in its mesh, until its pods are gone", () => {
    const world = given("baking");
    failed(world);
    expect(unprovenIn(world)).toEqual([]);

    world.pass(1_000);
    const at = world.now;
    perform(world, "LowerWeight", "a");
    world.pass(minuteMs);

    expect(unprovenIn(world)).toEqual([["a", { since: at, from_percent: 5 }]]);
    expect(waitingOf(world.state)?.for).toBe(
      "traffic and pods in b; proof from the mesh of a, where weight 0 is written",
    );
    perform(world, "LowerWeight", "b");
    expect(waitingOf(world.state)?.for).toBe("proof from the mesh of a, b, where weight 0 is written");
    perform(world, "DrainAndRetire", "a");
    expect(unprovenIn(world).map(([name]) => name)).toEqual(["b"]);
    perform(world, "DrainAndRetire", "b");
    expect(world.state.phase).toBe("rolled_back");
    expect(unprovenIn(world)).toEqual([]);
  });

  /** Weights are written, and no region's mesh has said so yet. */
  function rising(halted: boolean) {
    const world = given("raising");
    world.settle(20, () => world.state.phase === "raising" && world.state.stage === "weighting");
    if (halted) world.send({ type: "Halt", by: "ada", reason: "wait", now: world.now });
    world.send({ type: "Rollback", by: "ada", reason: "it smells", now: world.now });
    perform(world, "LowerWeight", "a");
    return world;
  }

  test.each([false, true])(
    "from a weight that was being written may have to be proven from that weight (halted before: %s)",
    (halted) => {
      const world = rising(halted);

      expect(world.state).toMatchObject({ phase: "restoring", outcome: "rolled_back" });
      expect(unprovenIn(world)).toEqual([["a", { since: world.now, from_percent: 5 }]]);
    },
  );

  test("from a step on whose weight was being written is proven by what was served before", () => {
    const world = given("raising", {}, 1);
    world.settle(20, () => world.state.phase === "raising" && world.state.stage === "weighting");
    failed(world);
    perform(world, "LowerWeight", "a");

    expect(unprovenIn(world)).toEqual([["a", { since: world.now, from_percent: 5 }]]);
  });

  test("after 100% is unproven since the first of its two writes", () => {
    const world = given("watching");
    failed(world);
    const at = world.now;
    perform(world, "LowerWeight", "a");
    world.settle(300, () => world.state.regions.a?.state === "draining");

    expect(world.state.regions.a?.state).toBe("draining");
    expect(unprovenIn(world)).toContainEqual(["a", { since: at, from_percent: 100 }]);
  });
});
