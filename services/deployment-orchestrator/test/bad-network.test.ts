import { deploymentTopic } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Plan } from "../src/domain/deployment.ts";
import {
  type Orchestrator,
  openPlace,
  type Place,
  startOrchestrator,
  versionOf,
  weightsOf,
} from "./support/orchestrator.ts";
import { type OverNetwork, overNetwork } from "./support/over-network.ts";
import { oldVersion } from "./support/sample.ts";

const [first, second] = [versionOf(1), versionOf(2)];
const quick = (weightPercent: number) => ({ weightPercent, bakeMs: 30 });
const longBake: Partial<Plan> = { steps: [{ weightPercent: 5, bakeMs: 600_000 }, quick(100)] };

let place: Place;
let over: OverNetwork;
let orchestrator: Orchestrator;
beforeEach(async () => {
  place = {
    ...(await openPlace()),
    async reach(watch) {
      over = await overNetwork(watch);
      return over.client;
    },
  };
  orchestrator = await startOrchestrator(place);
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  // What still waits is answered.
  over.network.swallow(false);
  over.network.cut();
  await orchestrator.close();
  await over.stop();
  await place.database.close();
});

/** Every step's weight in every region once, and each of the events once. */
async function expectRolledOut(id: string): Promise<void> {
  for (const cluster of orchestrator.clusters) expect(weightsOf(cluster, first)).toEqual([5, 25, 100]);
  const told = async () => {
    const { events } = await orchestrator.bus.read(deploymentTopic.name, 0, 500);
    return events.filter(({ subject }) => subject === id).map(({ type }) => type.replace("deployment.", ""));
  };
  await until(async () => (await told()).includes("succeeded"), { what: "the last event" });
  expect((await told()).filter((type) => type === "step_started" || type === "succeeded")).toHaveLength(4);
}

const blackHole = () => {
  over.network.swallow(true);
  over.network.strand();
};
const rollback = (id: string) =>
  orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));

describe("a rollout over a bad network to the rollback-controller", () => {
  test("comes to its end, each step once, where answers come late", async () => {
    over.network.delay(50);

    const id = await orchestrator.deploy();
    await orchestrator.reaches(id, "watching");

    await expectRolledOut(id);
  });

  test("comes to its end, each step once, where connections are cut all the time", async () => {
    const cutting = setInterval(() => over.network.cut(), 20);
    try {
      const id = await orchestrator.deploy();
      await orchestrator.reaches(id, "watching");

      await expectRolledOut(id);
    } finally {
      clearInterval(cutting);
    }
  });

  test("fails in no call where what was kept alive has gone dead", async () => {
    const id = await orchestrator.deploy({ steps: [quick(5), { weightPercent: 100, bakeMs: 30 }] });
    await orchestrator.reaches(id, "baking");
    over.network.strand();

    await orchestrator.reaches(id, "watching");

    expect(over.network.swallowed()).toBeGreaterThan(0);
    expect(over.failures).toEqual([]);
    for (const cluster of orchestrator.clusters) expect(weightsOf(cluster, first)).toEqual([5, 100]);
  });

  test("waits with the reason where nothing comes back, raises nothing, and goes on once something does", async () => {
    blackHole();
    const id = await orchestrator.deploy();
    const reasons = async () => (await orchestrator.pending(id)).map(({ lastReason }) => lastReason);

    await until(
      async () => (await reasons()).some((reason) => /watches.* was not answered within/.test(reason ?? "")),
      {
        what: "the reason",
      },
    );
    expect((await orchestrator.state(id)).phase).toBe("preparing");
    for (const cluster of orchestrator.clusters) expect(weightsOf(cluster, first)).toEqual([]);

    over.network.swallow(false);
    await orchestrator.reaches(id, "watching");
    await expectRolledOut(id);
  });
});

describe("where nothing comes back from the rollback-controller", () => {
  test("a person's rollback is in no region held up by it", async () => {
    const id = await orchestrator.deploy(longBake);
    await orchestrator.reaches(id, "baking");
    over.neverGivesUp();
    blackHole();

    await rollback(id);

    await until(() => orchestrator.clusters.every(({ weights }) => weights[oldVersion] === 100), {
      what: "the baseline",
    });
    await orchestrator.reaches(id, "rolled_back");
  });

  test("one that is to be taken back before it has any weight ends at once", async () => {
    over.neverGivesUp();
    blackHole();
    const id = await orchestrator.deploy(longBake);
    await until(() => over.network.swallowed() > 0, { what: "the watch to be asked for" });

    await rollback(id);

    await orchestrator.reaches(id, "cancelled");
  });

  test("the way back from a verified version does not wait for it", async () => {
    const good = await orchestrator.deploy({ verifyAfterMs: 100 });
    await orchestrator.reaches(good, "verified");
    const bad = await orchestrator.deploy({ verifyAfterMs: 100 });
    await orchestrator.reaches(bad, "verified");
    blackHole();

    const back = await orchestrator.deploy({
      ...{ strategy: "rollback", version: first, rollsBack: bad as Plan["rollsBack"], steps: [quick(100)] },
      baselines: { a: second, b: second },
    });
    await orchestrator.reaches(back, "watching");

    for (const cluster of orchestrator.clusters) expect([cluster.live, cluster.weights[first]]).toEqual([first, 100]);
  });
});
