import { describe, expect, test } from "vitest";
import { minuteMs } from "../../test/support/sample.ts";
import { failed, given, of } from "../../test/support/story.ts";
import type { Command } from "./command.ts";

type World = ReturnType<typeof given>;

function performFirst(world: World, isIt: (command: Command) => boolean) {
  const found = world.claimable.find(({ command }) => isIt(command));
  if (found === undefined) throw new Error("it cannot be claimed");
  return world.perform(found);
}
const lower = (world: World, region: string) =>
  performFirst(world, (command) => command.type === "LowerWeight" && command.region === region);
const due = (world: World, region: string) =>
  performFirst(
    world,
    (command) =>
      command.type === "WakeAt" && command.purpose === "region" && "region" in command && command.region === region,
  );
const told = (world: World) =>
  of(world.emitted, "Publish").flatMap(({ event }) =>
    event.type === "deployment.region_away" || event.type === "deployment.region_back"
      ? [`${event.type.slice("deployment.".length)} ${event.data.region}`]
      : [],
  );

describe("a region in which a version cannot be taken back", () => {
  test("is told after two minutes, with since when and what the version has there; and once more when it was written", () => {
    const world = given("baking");
    failed(world);
    const since = world.now;
    lower(world, "b");

    const stride = due(world, "a");

    expect(Date.parse(world.now) - Date.parse(since)).toBe(2 * minuteMs);
    expect(of(stride?.commands ?? [], "Publish")).toMatchObject([
      { event: { type: "deployment.region_away", data: { region: "a", since, weight_percent: 5 } } },
    ]);
    expect(of(lower(world, "a")?.commands ?? [], "Publish")).toMatchObject([
      { event: { type: "deployment.region_back", data: { region: "a", since } } },
    ]);
    world.settle(300);
    expect(world.state.phase).toBe("rolled_back");
    expect(told(world)).toEqual(["region_away a", "region_back a"]);
  });

  test("is told when a version is given up before it had traffic, too", () => {
    const world = given("preparing");
    world.send({ type: "Rollback", by: "ada", reason: "not this one", now: world.now });

    due(world, "a");

    expect(told(world)).toEqual(["region_away a"]);
  });

  test("is told once, whatever comes twice, and not again by the second write after 100%", () => {
    const world = given("watching");
    failed(world);
    due(world, "a");
    for (const fact of [...world.facts]) if (fact.type === "TimeReached") world.send(fact);

    world.settle(300);

    expect(world.state.phase).toBe("rolled_back");
    expect(told(world)).toEqual(["region_away a", "region_back a"]);
  });
});

test("a region that is written in time is not spoken of", () => {
  const world = given("baking");
  failed(world);
  for (const region of ["a", "b"]) lower(world, region);
  for (const region of ["a", "b"]) due(world, region);

  world.settle(300);

  expect(world.state.phase).toBe("rolled_back");
  expect(told(world)).toEqual([]);
});
