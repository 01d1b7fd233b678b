import type { RegionName } from "@slipway/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkInvariants } from "../../test/support/invariants.ts";
import { oldVersion, regionsOf } from "../../test/support/sample.ts";
import type { Pending, ScriptedWorld } from "../../test/support/scripted-world.ts";
import { failed, given, of, types } from "../../test/support/story.ts";
import { decide } from "./decide.ts";
import { type In, setRegion } from "./deployment.ts";
import { waitingOf } from "./view.ts";

const wayBack = {
  ...{ rollsBack: "D-6" as never, strategy: "rollback" as const },
  ...{ regions: regionsOf("abc"), steps: [{ weightPercent: 100, bakeMs: 0 }] },
};
const [, b, c] = wayBack.regions as readonly [RegionName, RegionName, RegionName];

/** Whatever is asked of these regions is not answered. */
const notIn =
  (...away: readonly string[]) =>
  ({ command }: Pending) =>
    !("region" in command && away.includes(command.region));
const dueLater = ({ command }: Pending) => command.type === "WakeAt";

/** Performs what can be, until nothing is left but what the regions that are away have to do. */
function settleBut(world: ScriptedWorld, ...away: readonly string[]): void {
  for (let count = 0; count < 200; count += 1) {
    const next = world.claimable.filter(notIn(...away)).find((pending) => !dueLater(pending));
    if (next === undefined) return;
    world.perform(next);
  }
  throw new Error(`it goes on and on in ${world.state.phase}`);
}

const weights = ({ state }: ScriptedWorld) =>
  state.plan.regions.map((region) => state.regions[region]?.weightPercent ?? 0);
const followed = (world: ScriptedWorld) => of(world.emitted, "Follow").map(({ region }) => region);

function partWayBack(): ScriptedWorld {
  const world = given("opening", wayBack);
  settleBut(world, b);
  return world;
}

describe("the way back from a verified version", () => {
  test("is gone in the other regions while one is away, base Service and all, and says where it waits", () => {
    const world = partWayBack();

    expect(weights(world)).toEqual([100, 0, 100]);
    expect(followed(world).sort()).toEqual(["a", "c"]);
    expect(waitingOf(world.state)).toMatchObject({
      for: `the fence in b; ${world.state.plan.version} serves in a, c already`,
      unblockedBy: "the region answers",
    });

    expect(world.settle(300, () => world.state.phase === "watching")).toBe(true);
    expect(weights(world)).toEqual([100, 100, 100]);
    checkInvariants(world, 0);
  });

  test("waits in no region for pods that another one cannot have yet", () => {
    const world = given("preparing", wayBack);

    settleBut(world, b);

    expect(weights(world)).toEqual([100, 0, 100]);
    expect(waitingOf(world.state)?.for).toContain("ready pods in b;");
    expect(world.settle(300, () => world.state.phase === "watching")).toBe(true);
  });

  test("whichever regions are away, and whatever comes in which order, all others have their weight, and those follow", () => {
    const away = fc.subarray([...wayBack.regions], { maxLength: 2 });
    fc.assert(
      fc.property(away, fc.nat(12), fc.array(fc.nat(40), { maxLength: 60 }), (missing, before, order) => {
        const world = given("opening", wayBack);
        // Some of them go away later than at the start.
        world.settle(before, () => world.state.phase === "baking");
        for (const which of order) {
          const open = world.claimable.filter(notIn(...missing)).filter((pending) => !dueLater(pending));
          const next = open[which % Math.max(1, open.length)];
          if (next !== undefined) world.perform(next);
        }
        settleBut(world, ...missing);

        for (const region of wayBack.regions)
          if (!missing.includes(region)) expect(world.state.regions[region]?.weightPercent, region).toBe(100);
        expect(world.settle(300, () => world.state.phase === "watching")).toBe(true);
        expect(weights(world)).toEqual([100, 100, 100]);
        checkInvariants(world, 0);
      }),
      { numRuns: 300 },
    );
  });
});

test("a region in which a way back could write nothing for two minutes is told once, with what serves there, and once more when it is back", () => {
  const world = partWayBack();
  const due = (region: string) =>
    world.claimable.find(
      ({ command }) => command.type === "WakeAt" && "region" in command && command.region === region,
    );
  for (const region of wayBack.regions) world.perform(due(region)!);
  for (const fact of [...world.facts]) if (fact.type === "TimeReached") world.send(fact);

  world.settle(300, () => world.state.phase === "watching");

  const told = of(world.emitted, "Publish").filter(({ event }) => /region_/.test(event.type));
  const data = { region: "b", instead: oldVersion };
  expect(told).toMatchObject([
    { event: { type: "deployment.region_away", data: { ...data, weight_percent: 100 } } },
    { event: { type: "deployment.region_back", data } },
  ]);
  checkInvariants(world, 0);
});

describe("a way back that serves in some regions while one is away", () => {
  test("ends where it is when a newer one takes its targets: what it led away from never comes back", () => {
    const world = partWayBack();

    const stride = world.send({ type: "LockLost", to: "D-9", now: world.now });

    expect(stride.after.phase).toBe("superseded");
    expect(types(stride.commands)).toEqual(["ReleaseLock", "deployment.superseded"]);
  });

  test("ends so where a newer one has the region that was away", () => {
    const world = partWayBack();

    const open = world.claimable.find(({ command }) => command.type === "OpenFence");
    const stride = world.perform(open!, "badly");

    expect(stride?.after.phase).toBe("superseded");
    expect(of(stride?.commands ?? [], "LowerWeight")).toEqual([]);
  });

  test("is not taken back by a person; it can be halted, and given up then", () => {
    const world = partWayBack();
    const rollback = () => world.send({ type: "Rollback", by: "ada", reason: "enough", now: world.now });
    expect(rollback().refused).toBe(true);
    world.send({ type: "Halt", by: "ada", reason: "look", now: world.now });

    const stride = rollback();

    expect(stride.after).toMatchObject({ phase: "failed", hadWeight: true });
    expect(of(world.emitted, "LowerWeight")).toEqual([]);
  });

  test("goes on where it was halted: it asks for the fence that is missing and writes no weight where it serves", () => {
    const world = partWayBack();
    world.send({ type: "Halt", by: "ada", reason: "look", now: world.now });
    expect(world.state.phase).toBe("held");

    const stride = world.send({ type: "Resume", by: "ada", now: world.now });

    const asked = stride.commands.flatMap((command) =>
      "region" in command && command.type !== "WakeAt" ? [`${command.type} ${command.region}`] : [],
    );
    expect(asked).toEqual(["Follow a", "OpenFence b", "Follow c"]);
    expect(world.settle(300, () => world.state.phase === "watching")).toBe(true);
    expect(weights(world)).toEqual([100, 100, 100]);
  });

  test("goes on in the others where it was halted and one has gone away since", () => {
    const world = given("preparing", wayBack);
    settleBut(world, b, c);
    world.send({ type: "Halt", by: "ada", reason: "look", now: world.now });
    world.send({ type: "Resume", by: "ada", now: world.now });

    settleBut(world, b);

    expect(weights(world)).toEqual([100, 0, 100]);
    expect(world.settle(300, () => world.state.phase === "watching")).toBe(true);
  });

  test("is held where its version turns bad, or does not start in the region that came back", () => {
    const bad = partWayBack();
    failed(bad);
    expect(bad.state).toMatchObject({ phase: "held", regions: { a: { weightPercent: 100 } } });

    const world = partWayBack();
    world.perform(world.claimable.find(({ command }) => command.type === "OpenFence")!);
    world.perform(world.claimable.find(({ command }) => command.type === "PrepareWorkload")!, "badly");

    expect(world.state).toMatchObject({ phase: "held", why: "b: crash" });
    expect(of(world.emitted, "LowerWeight")).toEqual([]);
  });

  test("writes a weight again that somebody else's write overtook, while another region is away", () => {
    const world = given("opening", wayBack);
    const raise = () => world.claimable.find(({ command }) => command.type === "RaiseWeight");
    while (raise() === undefined) world.perform(world.claimable.filter(notIn(b)).find((one) => !dueLater(one))!);

    const stride = world.perform(raise()!, "late");

    expect(of(stride?.commands ?? [], "RaiseWeight")).toHaveLength(1);
    settleBut(world, b);
    expect(weights(world)).toEqual([100, 0, 100]);
  });
});

test("a way back that has no weight anywhere yet is cancelled, as any deployment", () => {
  const world = given("opening", wayBack);

  world.send({ type: "Rollback", by: "ada", reason: "not now", now: world.now });
  world.settle(300);

  expect(world.state.phase).toBe("cancelled");
});

describe("a way back that an earlier version left", () => {
  const { state } = given("opening", wayBack);
  const opening = state as In<"opening">;
  const opened = (...regions: readonly RegionName[]): In<"opening"> => ({
    ...{ ...opening, opened: regions },
    regions: regions.reduce((all, region) => setRegion(all, region, { state: "preparing" }), opening.regions),
  });

  test("with fences open and no pods asked for has them in every region once the last fence is open", () => {
    const [a] = wayBack.regions as [RegionName];
    const left = opened(a, c);
    const epoch = left.epochs[b] as number;

    const answer = decide(left, { type: "FenceOpened", region: b, epoch, baseline: oldVersion, now: left.since });

    const commands = answer.kind === "step" ? answer.commands : [];
    expect(of(commands, "PrepareWorkload").map(({ region }) => region)).toEqual(wayBack.regions);
    expect(answer).toMatchObject({ state: { phase: "preparing", ready: [] } });
  });
});
