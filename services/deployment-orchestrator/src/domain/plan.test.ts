import { DeploymentRequest, SlipwayFile } from "@slipway/contracts";
import { describe, expect, test } from "vitest";
import { canaryPlan } from "./plan.ts";

const minute = 60_000;
const prod = { name: "prod", production: true, minimumBakeMs: 0 };
const dev = { name: "dev", production: false, minimumBakeMs: 0 };
const request = (more: object = {}) => DeploymentRequest.parse({ service: "shop", version: "abcdef0", ...more });

function file(more: object = {}) {
  return SlipwayFile.parse({
    version: 1,
    service: "shop",
    pipeline: {},
    image: { copy: ["."], command: ["node"] },
    ...more,
  });
}

const steps = (...all: readonly [weight: number, bakeMs: number][]) =>
  all.map(([weightPercent, bakeMs]) => ({ weightPercent, bakeMs }));

describe("the plan of a canary", () => {
  test("is that of the file in production, with no bake shorter than the environment's", () => {
    const patient = { ...prod, minimumBakeMs: 20 * minute };

    expect(canaryPlan(file(), request(), prod)).toEqual(
      steps([5, 10 * minute], [25, 10 * minute], [50, 5 * minute], [100, 0]),
    );
    expect(canaryPlan(file(), request(), patient)).toEqual(
      steps([5, 20 * minute], [25, 20 * minute], [50, 20 * minute], [100, 0]),
    );
  });

  test("outside production is a short look and then all of it: no evidence is waited for there", () => {
    expect(canaryPlan(file(), request(), dev)).toEqual(steps([5, 3_000], [100, 0]));
    expect(canaryPlan(file(), request({ canary_percent: 50 }), dev)).toEqual(steps([50, 3_000], [100, 0]));
    const whole = file({ deploy: { steps: [{ weight: 100 }] } });
    expect(canaryPlan(whole, request(), dev)).toEqual(steps([100, 0]));
  });

  test("outside production climbs as the file says for that environment", () => {
    const own = file({
      environments: { dev: { steps: [{ weight: 10, bake: "1m" }, { weight: 50, bake: "2m" }, { weight: 100 }] } },
    });

    expect(canaryPlan(own, request(), dev)).toEqual(steps([10, minute], [50, 2 * minute], [100, 0]));
  });

  test("is refused where weights do not climb to 100, in every environment alike", () => {
    const falls = file({ deploy: { steps: [{ weight: 5 }, { weight: 50 }, { weight: 25 }, { weight: 100 }] } });
    const short = file({ deploy: { steps: [{ weight: 5 }, { weight: 50 }] } });

    for (const rules of [prod, dev]) {
      expect(canaryPlan(falls, request(), rules)).toMatchObject({ kind: "refusal", code: "plan.invalid" });
      expect(canaryPlan(short, request(), rules)).toMatchObject({ kind: "refusal", code: "plan.invalid" });
    }
  });
});
