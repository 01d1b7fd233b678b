import { describe, expect, test } from "vitest";
import { minuteMs } from "../../test/support/sample.ts";
import { failed, given, of } from "../../test/support/story.ts";
import type { Command } from "./command.ts";

type World = ReturnType<typeof given>;

function claimable(world: World, isIt: (command: Command) => boolean) {
  const found = world.claimable.find(({ command }) => isIt(command));
  if (found === undefined) throw new Error("it cannot be claimed");
  return found;
}
const wake = (world: World, purpose: "mesh" | "region", region: string) =>
  world.perform(
    claimable(
      world,
      (command) =>
        command.type === "WakeAt" && command.purpose === purpose && "region" in command && command.region === region,
    ),
  );
const perform = (world: World, type: Command["type"], region: string) =>
  world.perform(
    claimable(world, (command) => command.type === type && "region" in command && command.region === region),
  );
const told = (world: World) =>
  of(world.emitted, "Publish").flatMap(({ event }) =>
    event.type === "deployment.mesh_behind" || event.type === "deployment.mesh_followed"
      ? [`${event.type.slice("deployment.".length)} ${event.data.region}`]
      : [],
  );

/** Taken back in both regions; the meshes have shown nothing yet. */
function lowered(): World {
  const world = given("baking");
  failed(world);
  for (const region of ["a", "b"]) perform(world, "LowerWeight", region);
  return world;
}

describe("a mesh that does not follow", () => {
  test("is told after two minutes, with since when and what it served; and once more when it does, before the end", () => {
    const world = given("baking");
    failed(world);
    const since = world.now;
    for (const region of ["a", "b"]) perform(world, "LowerWeight", region);
    perform(world, "DrainAndRetire", "b");

    const stride = wake(world, "mesh", "a");

    expect(Date.parse(world.now) - Date.parse(since)).toBe(2 * minuteMs);
    expect(of(stride?.commands ?? [], "Publish")).toMatchObject([
      { event: { type: "deployment.mesh_behind", data: { region: "a", since, from_percent: 5 } } },
    ]);
    const end = perform(world, "DrainAndRetire", "a");
    expect(of(end?.commands ?? [], "Publish")).toMatchObject([
      { event: { type: "deployment.mesh_followed", data: { region: "a", since } } },
      { event: { type: "deployment.rolled_back" } },
    ]);
    expect(told(world)).toEqual(["mesh_behind a", "mesh_followed a"]);
  });

  test("is told of each region by itself, once, whatever comes twice", () => {
    const world = lowered();
    for (const region of ["a", "b"]) wake(world, "mesh", region);
    for (const fact of [...world.facts]) if (fact.type === "TimeReached") world.send(fact);
    perform(world, "DrainAndRetire", "a");
    for (const fact of [...world.facts]) if (fact.type === "Retired") world.send(fact);
    perform(world, "DrainAndRetire", "b");

    expect(told(world)).toEqual(["mesh_behind a", "mesh_behind b", "mesh_followed a", "mesh_followed b"]);
    expect(world.state.phase).toBe("rolled_back");
  });

  test("is told after 100%, too, two minutes after the first of the two writes", () => {
    const world = given("watching");
    failed(world);
    const since = world.now;
    perform(world, "LowerWeight", "a");
    world.settle(300, () => world.state.regions.a?.state === "draining");

    expect(of(world.emitted, "WakeAt").filter(({ purpose }) => purpose === "mesh")).toHaveLength(2);
    wake(world, "mesh", "a");

    expect(world.state.regions.a?.lowered).toEqual({ at: since, fromPercent: 100, told: true });
    expect(told(world)).toEqual(["mesh_behind a"]);
  });
});

test("a mesh that follows in time is not spoken of", () => {
  const world = lowered();

  world.settle(300);

  expect(world.state.phase).toBe("rolled_back");
  expect(told(world)).toEqual([]);
});
