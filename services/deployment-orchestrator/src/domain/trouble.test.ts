import { describe, expect, test } from "vitest";
import { after, grantOf, judgement, minuteMs, oldVersion, threeSteps } from "../../test/support/sample.ts";
import { ScriptedWorld } from "../../test/support/scripted-world.ts";
import { epochsOf, failed, given, of, two, types } from "../../test/support/story.ts";

describe("a FAIL", () => {
  test("at 5% lowers in every region in the same step, before anything else, and voids what was under way", () => {
    const world = given("baking");

    const stride = failed(world);

    expect(stride.supersedes).toBe(true);
    expect(types(stride.commands)).toEqual([
      ...["deployment.gate", "LowerWeight", "LowerWeight", "deployment.restoring"],
      ...["WakeAt", "WakeAt", "AuditTakeBack"],
    ]);
    world.settle(100);
    expect(world.state).toMatchObject({ phase: "rolled_back", hadWeight: true });
    expect(types(world.emitted).slice(-7)).toEqual([
      ...["DrainAndRetire", "WakeAt"],
      ...["DrainAndRetire", "WakeAt"],
      ...["ReleaseRegion", "ReleaseLock"],
      "deployment.rolled_back",
    ]);
  });

  test("of an older grant changes nothing", () => {
    const world = given("baking");

    expect(failed(world, grantOf(two, 9)).commands).toEqual([]);
    expect(world.state.phase).toBe("baking");
  });

  test("of this grant counts at a later step too", () => {
    const world = given("baking", {}, 1);

    expect(failed(world).after.phase).toBe("restoring");
  });

  test("after 100% takes the lock again, lowers under the new grant, and lets the base Service follow the baseline", () => {
    const world = given("watching");
    const before = epochsOf(world);

    const stride = failed(world);

    expect(of(stride.commands, "LowerWeight").map(({ epoch }) => epoch)).toEqual(Object.values(before));
    expect(of(stride.commands, "AcquireLock")).toMatchObject([{ holder: "D-7/restore", preempt: true }]);
    const from = world.emitted.length;
    world.settle(100);
    expect(world.state).toMatchObject({ phase: "rolled_back", hadWeight: true });
    const later = world.emitted.slice(from);
    expect(of(later, "LowerWeight").every(({ epoch, region }) => epoch > (before[region] ?? 0))).toBe(true);
    expect(of(later, "Follow").map(({ version }) => version)).toEqual([oldVersion, oldVersion]);
    expect(types(later).lastIndexOf("Follow")).toBeLessThan(types(later).indexOf("ReleaseLock"));
    expect(of(later, "ReleaseLock").map(({ holder }) => holder)).toEqual(["D-7", "D-7/restore"]);
  });

  test("while the base Service is already following takes the same long way back", () => {
    const world = given("finishing");

    const stride = failed(world);

    expect(of(stride.commands, "LowerWeight")).toHaveLength(2);
    expect(of(stride.commands, "AcquireLock")).toHaveLength(1);
    world.settle(100);
    expect(world.state.phase).toBe("rolled_back");
  });

  test("leaves the way back unfinished nowhere when another rollback takes the lock first", () => {
    const world = given("watching");
    failed(world);
    const acquire = () => world.claimable.find(({ command }) => command.type === "AcquireLock");
    world.settle(20, () => acquire() !== undefined);

    world.perform(acquire()!, "badly");
    world.settle(100);

    expect(world.state).toMatchObject({ phase: "rolled_back" });
  });
});

describe("the lock", () => {
  test("is waited for with the holder shown, and asked for again", () => {
    const world = new ScriptedWorld({ regions: two });
    const [acquire] = world.claimable;

    world.perform(acquire!, "late");

    expect(world.state).toMatchObject({ phase: "queued", behind: "D-6" });
    expect(of(world.strides.at(-1)?.commands ?? [], "AcquireLock")).toHaveLength(1);
    world.settle(20, () => world.state.phase === "preparing");
    expect(world.state.phase).toBe("preparing");
  });

  test("is left by a deployment that a newer one supersedes", () => {
    const world = new ScriptedWorld({ regions: two });
    world.perform(world.claimable[0]!, "late");

    const stride = world.send({ type: "Superseded", by: "D-9" as never, now: world.now });

    expect(stride.after).toMatchObject({ phase: "superseded" });
    expect(types(stride.commands)).toEqual(["ReleaseLock", "deployment.superseded"]);
  });

  test("that a rollback takes ends a canary with its weights lowered", () => {
    const world = given("baking");

    const stride = world.send({ type: "LockLost", to: "D-9", now: world.now });

    expect(of(stride.commands, "LowerWeight")).toHaveLength(2);
    world.settle(100);
    expect(world.state.phase).toBe("rolled_back");
  });

  test("that a second rollback takes leaves the first one's traffic to it: what it led away from never comes back", () => {
    const world = given("finishing", { rollsBack: "D-6" as never, strategy: "rollback", steps: threeSteps.slice(2) });

    const stride = world.send({ type: "LockLost", to: "D-9", now: world.now });

    expect(stride.after.phase).toBe("superseded");
    expect(of(stride.commands, "LowerWeight")).toEqual([]);
  });
});

describe("the first deployment", () => {
  test("serves everything at once, and a FAIL holds it: there is nothing to return to", () => {
    const world = given("baking", { initial: true });
    expect(of(world.emitted, "RaiseWeight").map(({ percent }) => percent)).toEqual([100, 100]);

    const stride = failed(world);

    expect(stride.after.phase).toBe("held");
    expect(of(stride.commands, "LowerWeight")).toEqual([]);
  });

  test("that fails is told as bad once, with why nothing leads back from it, wherever it stands by then", () => {
    const told = (stride: ReturnType<typeof failed>) =>
      of(stride.commands, "Publish").flatMap(({ event }) =>
        event.type === "deployment.found_bad" ? [event.data] : [],
      );
    const begun = given("baking", { initial: true });
    const whole = given("watching", { initial: true });
    const back = given("watching", { rollsBack: "D-6" as never, strategy: "rollback" });

    for (const world of [begun, whole, back]) {
      const [bad, ...more] = told(failed(world));
      expect(bad).toMatchObject({ deployment_id: "D-7", by: "rollback-controller", way_back: null });
      expect(bad?.no_way_back).toMatch(world === back ? /It leads back from D-6/ : /is the first version in/);
      expect(more).toEqual([]);
      expect(told(failed(world))).toEqual([]);
    }
    expect(told(failed(given("baking")))).toEqual([]);
  });

  test("that is held can be given up, so that another version gets the lock", () => {
    const world = given("baking", { initial: true });
    const rollback = { type: "Rollback", by: "ada", reason: "broken", now: world.now } as const;
    expect(world.send(rollback).refused).toBe(true);
    failed(world);

    const stride = world.send(rollback);

    expect(stride.after).toMatchObject({ phase: "failed", hadWeight: true });
    expect(types(stride.commands)).toEqual(["ReleaseLock", "deployment.failed"]);
  });

  test("that failed its watch at 100% is never called verified", () => {
    const world = given("watching", { initial: true });
    failed(world);
    world.pass(60 * minuteMs);

    world.send({ type: "TimeReached", purpose: "verify", now: world.now });

    expect(world.state.phase).toBe("watching");
  });
});

describe("silence", () => {
  test("of one call to the watch drains nothing, however long the bake has been", () => {
    const world = given("baking");
    world.pass(30 * minuteMs);
    const seen = judgement({ verdict: "NONE", regions: two });
    world.send({ type: "WatchSeen", step: 0, judgement: seen, epochs: epochsOf(world), now: world.now });
    world.pass(5_000);

    const stride = world.send({ type: "WatchSilent", step: 0, since: null, now: world.now });

    expect(stride.after.phase).toBe("baking");
    expect(types(stride.commands)).toEqual(["CheckWatch"]);
  });

  test.each(["baking", "held"] as const)("is said of a canary that is %s for as long as it lasts", (phase) => {
    const world = given("baking");
    if (phase === "held") world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });
    const reasons = () => Object.values(world.state.regions).map(({ reason }) => reason);

    world.send({ type: "WatchSilent", step: 0, since: null, now: world.now });
    expect(reasons()).toEqual([expect.stringMatching(/no look since/), expect.stringMatching(/no look since/)]);

    const seen = judgement({ verdict: "NONE", regions: two });
    world.send({ type: "WatchSeen", step: 0, judgement: seen, epochs: epochsOf(world), now: world.now });
    expect(reasons()).toEqual([null, null]);
  });

  test.each(["baking", "held"] as const)("of fifteen minutes takes a canary that is %s out of traffic", (phase) => {
    const world = given("baking");
    if (phase === "held") world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });
    world.pass(16 * minuteMs);

    const stride = world.send({ type: "WatchSilent", step: 0, since: null, now: world.now });

    expect(of(stride.commands, "LowerWeight")).toHaveLength(2);
  });
});

describe("a raise that is refused", () => {
  function refused(why: "stale" | "shut" | "paused" | "drifted" | "conflict" | "not_ready" | "unproven", minutes = 0) {
    const world = given("raising");
    world.settle(20, () => world.state.phase === "raising" && world.state.stage === "weighting");
    world.pass(minutes * minuteMs);
    const epoch = epochsOf(world).a ?? 0;
    return world.send({ type: "RaiseRefused", region: two[0]!, epoch, step: 0, why, now: world.now });
  }

  test("for a conflict or pods that are not ready is asked again a moment later", () => {
    expect(types(refused("conflict").commands)).toEqual(["RaiseWeight"]);
    expect(types(refused("not_ready").commands)).toEqual(["RaiseWeight"]);
    expect(refused("not_ready", 3).after.phase).toBe("held");
  });

  test("by a person's hand or a missing proof holds it", () => {
    for (const why of ["paused", "drifted", "unproven"] as const) expect(refused(why).after.phase).toBe("held");
  });

  test("by a shut or a newer fence is a FAIL", () => {
    for (const why of ["shut", "stale"] as const) expect(refused(why).after.phase).toBe("restoring");
  });
});

test("a deployment that is replaced by an older grant's report goes on being watched", () => {
  const world = given("watching");
  const by = "D-6" as never;

  world.send({ type: "Replaced", by, epochs: grantOf(two, 0), now: after(0) });

  expect(world.state).toMatchObject({ phase: "watching", replacedBy: null });
});

test("a FAIL that a look at the watch brought late, at the next step, is no less a FAIL", () => {
  const world = given("raising", {}, 1);
  const fail = judgement({ verdict: "FAIL", regions: two });

  world.send({ type: "WatchSeen", step: 0, judgement: fail, epochs: epochsOf(world), now: world.now });

  expect(world.state.phase).toBe("restoring");
});

describe("what serves when its turn comes", () => {
  const newer = "orders-2222222-ccccc" as typeof oldVersion;

  function opened(world: ScriptedWorld, region: "a" | "b", baseline: typeof oldVersion | null) {
    const epoch = epochsOf(world)[region] ?? 0;
    return world.send({ type: "FenceOpened", region: region as never, epoch, baseline, now: world.now });
  }

  test("is what a deployment that waited is compared with and returned to, whatever served when it was asked for", () => {
    const world = given("opening");
    opened(world, "a", newer);
    const last = opened(world, "b", newer);

    expect(types(last.commands)).toEqual(["deployment.opened", "PrepareWorkload", "PrepareWorkload"]);
    expect(world.state.plan.baselines).toEqual({ a: newer, b: newer });
    world.settle(300, () => world.state.phase === "baking");
    expect(world.state.plan.baselines).toEqual({ a: newer, b: newer });
  });

  test.each([false, true])(
    "ends what would try a version against itself, and takes no pods away (first deployment: %s)",
    (initial) => {
      const world = given("opening", { initial });

      const first = opened(world, "a", world.state.plan.version);

      expect(first.supersedes).toBe(true);
      expect(types(first.commands)).toEqual(["ReleaseLock", "deployment.superseded"]);
      expect(world.state).toMatchObject({ phase: "superseded", reason: expect.stringContaining("came to 100% in a") });
    },
  );

  test("does not end a way back whose version serves in one of its regions: the others need it", () => {
    const world = given("opening", { rollsBack: "D-6" as never });
    opened(world, "a", world.state.plan.version);
    const last = opened(world, "b", oldVersion);

    expect(types(last.commands)).toContain("PrepareWorkload");
  });

  test("ends what was accepted as a first deployment: it would have had no canary", () => {
    const world = given("opening", { initial: true });

    const first = opened(world, "a", newer);

    expect(first.supersedes).toBe(true);
    expect(types(first.commands)).toContain("LowerWeight");
    world.settle(300);
    expect(world.state).toMatchObject({ phase: "failed", reason: expect.stringContaining(newer) });
    expect(of(world.emitted, "RaiseWeight")).toEqual([]);
  });
});
