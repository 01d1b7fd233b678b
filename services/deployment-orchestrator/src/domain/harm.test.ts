import { describe, expect, test } from "vitest";
import { judgement, minuteMs } from "../../test/support/sample.ts";
import type { ScriptedWorld } from "../../test/support/scripted-world.ts";
import { epochsOf, given, two } from "../../test/support/story.ts";

describe("evidence of harm short of FAIL", () => {
  const found = (world: ScriptedWorld, evidence: number, step = 0) => ({
    ...judgement({ verdict: "PASS", step, regions: two, at: world.now }),
    evidence,
  });
  const judge = (world: ScriptedWorld, evidence: number, step = 0) =>
    world.send({ type: "Judged", judgement: found(world, evidence, step), epochs: epochsOf(world), now: world.now });

  test("holds the ramp also beside a PASS whose bake is over, and says so", () => {
    const world = given("baking");
    world.pass(11 * minuteMs);

    expect(judge(world, 100).after).toMatchObject({
      phase: "held",
      by: "rollback-controller",
      why: expect.stringContaining("e-value 100"),
      unblockedBy: expect.stringContaining("falls below 100"),
    });
  });

  test("below 100 holds nothing", () => {
    const world = given("baking");
    world.pass(11 * minuteMs);
    expect(judge(world, 99).after.phase).toBe("raising");
  });

  test("stops a raise that is under way, and lets the step begin again when it has cleared", () => {
    const world = given("raising", {}, 1);
    expect(judge(world, 5_000).after).toMatchObject({ phase: "held", step: 1 });
    expect(judge(world, 200, 1).after.phase).toBe("held");

    const seen = { type: "WatchSeen", step: 1, judgement: found(world, 3, 1), epochs: epochsOf(world), now: world.now };
    expect(world.send(seen as never).after).toMatchObject({ phase: "raising", step: 1 });
  });

  test("does not let a halt by a person go on when it clears", () => {
    const world = given("baking");
    judge(world, 100);
    world.send({ type: "Halt", by: "ada", reason: "lunch", now: world.now });
    expect(judge(world, 1).after.phase).toBe("held");
  });

  test("is none on the way back, where the version that it leads away from is the baseline", () => {
    const world = given("baking", { rollsBack: "D-6" as never, strategy: "rollback" });
    expect(judge(world, 5_000).after.phase).not.toBe("held");
  });
});
