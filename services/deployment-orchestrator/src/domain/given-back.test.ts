import { describe, expect, test } from "vitest";
import { regionsOf } from "../../test/support/sample.ts";
import { failed, given, of, types } from "../../test/support/story.ts";

type World = ReturnType<typeof given>;

/** Until nothing is left to do but in b, which does not answer. */
function settleWithoutB(world: World): void {
  const next = () =>
    world.claimable.find(
      ({ command }) => !("region" in command && command.region === "b") && !("at" in command && command.at !== null),
    );
  for (let found = next(); found !== undefined; found = next()) world.perform(found);
}

describe("while a region is away", () => {
  test("the others are given back one by one once their pods are gone, and the last one with all that is left", () => {
    const world = given("baking", { regions: regionsOf("abc") });
    failed(world);

    settleWithoutB(world);

    expect(world.state.phase).toBe("restoring");
    expect(of(world.emitted, "ReleaseRegion")).toEqual([
      { type: "ReleaseRegion", holder: "D-7", region: "a" },
      { type: "ReleaseRegion", holder: "D-7", region: "c" },
    ]);
    expect(of(world.emitted, "ReleaseLock")).toEqual([]);
    world.settle(100);
    expect(world.state.phase).toBe("rolled_back");
    expect(of(world.emitted, "ReleaseRegion")).toHaveLength(2);
    expect(of(world.emitted, "ReleaseLock")).toEqual([{ type: "ReleaseLock", holder: "D-7" }]);
  });

  test("after 100% they are given back in both names, and not before they were lowered under the new grant and followed", () => {
    const world = given("watching");
    failed(world);
    const from = world.strides.length;

    settleWithoutB(world);

    const commands = world.strides.slice(from).flatMap((stride) => stride.commands);
    expect(types(commands.filter((command) => !("region" in command && command.region === "b")))).toEqual([
      ...["WakeAt", "LowerWeight", "Follow", "DrainAndRetire"],
      ...["ReleaseRegion", "ReleaseRegion"],
    ]);
    expect(of(commands, "ReleaseRegion").map(({ holder }) => holder)).toEqual(["D-7", "D-7/restore"]);
  });

  test("a region that is said to be retired twice is given back once", () => {
    const world = given("baking");
    failed(world);
    settleWithoutB(world);
    const retired = world.facts.find(({ type }) => type === "Retired");

    expect(world.send(retired!).commands).toEqual([]);
  });

  test("what is void gives back all of it at once", () => {
    const world = given("baking");
    failed(world);
    settleWithoutB(world);

    const stride = world.send({ type: "Voided", by: "grace", reason: "restored", now: world.now });

    expect(types(stride.commands)).toEqual(["ReleaseLock", "deployment.superseded"]);
  });
});
