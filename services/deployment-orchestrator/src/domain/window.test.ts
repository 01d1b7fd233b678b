import type { Instant } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { after, judgement } from "../../test/support/sample.ts";
import { epochsOf, given, of, two, types } from "../../test/support/story.ts";

describe("a watch that gathers for another window than the step's", () => {
  function seen(change: { readonly windowFrom?: Instant; readonly step?: number }) {
    const world = given("baking");
    const { since } = world.state as { readonly since: Instant };
    world.pass(5_000);
    const found = judgement({ verdict: "PASS", regions: two, windowFrom: since, ...change });
    const stride = world.send({
      type: "WatchSeen",
      step: 0,
      judgement: found,
      epochs: epochsOf(world),
      now: world.now,
    });
    return { world, stride, since };
  }

  test.each([{ windowFrom: after(-60_000) }, { step: -1 }])("is asked again, and its PASS not taken: %j", (other) => {
    const { world, stride, since } = seen(other);

    expect(types(stride.commands)).toEqual(["ArmWatch", "CheckWatch"]);
    expect(of(stride.commands, "ArmWatch")).toMatchObject([{ step: 0, windowFrom: since }]);
    expect(world.state).toMatchObject({ phase: "baking", latest: null });
  });

  test("is not asked when it is that very one", () => {
    expect(types(seen({}).stride.commands)).not.toContain("ArmWatch");
  });
});
