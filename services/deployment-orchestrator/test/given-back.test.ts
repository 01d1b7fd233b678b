import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Plan } from "../src/domain/deployment.ts";
import { waitingOf } from "../src/domain/view.ts";
import { type Orchestrator, openPlace, type Place, startOrchestrator, versionOf } from "./support/orchestrator.ts";
import { oldVersion, regionsOf } from "./support/sample.ts";

const [bad, mended, next] = [versionOf(1), versionOf(2), versionOf(3)];

let place: Place;
let orchestrator: Orchestrator;
beforeEach(async () => {
  place = await openPlace("abc");
  orchestrator = await startOrchestrator(place);
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
  await place.database.close();
});

const staying: Partial<Plan> = {
  steps: [
    { weightPercent: 5, bakeMs: 600_000 },
    { weightPercent: 100, bakeMs: 0 },
  ],
};

/** In some of the regions. */
function deploy(regions: string): Promise<string> {
  const baselines = Object.fromEntries(regionsOf(regions).map((region) => [region, orchestrator.cluster(region).live]));
  return orchestrator.deploy({ regions: regionsOf(regions), baselines });
}

async function takeBackWithoutB(id: string): Promise<void> {
  orchestrator.cluster("b").away = true;
  await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));
  const states = async () => Object.values((await orchestrator.state(id)).regions).map(({ state }) => state);
  await until(async () => (await states()).join() === "retired,lowering,retired", { what: "a and c to be done" });
}

const serving = () => orchestrator.clusters.map(({ live, weights }) => weights[live ?? ""] === 100 && live);

test.each([
  ["a canary", staying, "baking", "D-1"],
  ["a version at 100%", {}, "watching", "D-1/restore"],
] as const)(
  "while %s cannot be taken back in a region that is away, what mends it is deployed to the others, and what names that region waits for it",
  async (_what, plan, phase, holder) => {
    const taken = await orchestrator.deploy(plan);
    await orchestrator.reaches(taken, phase);
    await takeBackWithoutB(taken);

    const fix = await deploy("ac");
    await orchestrator.reaches(fix, "watching");
    const everywhere = await deploy("abc");
    const queued = await orchestrator.reaches(everywhere, "queued");

    expect(waitingOf(queued)).toMatchObject({ for: "the lock of its targets", holder, unblockedBy: `${holder} ends` });
    expect((await orchestrator.state(taken)).phase).toBe("restoring");
    expect([orchestrator.cluster("a").live, orchestrator.cluster("c").live]).toEqual([mended, mended]);
    expect(orchestrator.cluster("b").weights[bad]).toBe(phase === "baking" ? 5 : 100);

    orchestrator.cluster("b").away = false;
    await orchestrator.reaches(taken, "rolled_back");
    await orchestrator.reaches(everywhere, "watching");
    expect(serving()).toEqual([next, next, next]);
    expect((await orchestrator.state(everywhere)).plan.baselines).toEqual({ a: mended, b: oldVersion, c: mended });
    expect(orchestrator.clusters.map(({ workloads }) => workloads.has(bad))).toEqual([false, false, false]);
    await orchestrator.lockIsFree();
  },
);
