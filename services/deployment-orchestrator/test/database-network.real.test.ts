import { deploymentTopic } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Plan } from "../src/domain/deployment.ts";
import { databaseOverNetwork } from "./support/database-network.ts";
import {
  type Orchestrator,
  openPlace,
  type Place,
  startOrchestrator,
  versionOf,
  weightsOf,
} from "./support/orchestrator.ts";
import { oldVersion } from "./support/sample.ts";

const first = versionOf(1);
const longBake: Partial<Plan> = {
  steps: [
    { weightPercent: 5, bakeMs: 600_000 },
    { weightPercent: 100, bakeMs: 30 },
  ],
};

/** The orchestrator's machine and effects, every statement of which goes through a proxy. */
describe("a rollout over a bad network to Postgres", () => {
  let place: Place;
  let over: Awaited<ReturnType<typeof databaseOverNetwork>>;
  let orchestrator: Orchestrator;
  beforeEach(async () => {
    place = await openPlace();
    over = await databaseOverNetwork(place.database);
    orchestrator = await startOrchestrator({ ...place, database: over.database });
  });
  afterEach(async () => {
    over.network.delay(0);
    for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
    await orchestrator.close();
    await over.stop();
    await place.database.close();
  });

  /** Steps in their order and nothing a second time: what was done and could not be written down is done again to no effect. */
  async function expectRolledOut(id: string): Promise<void> {
    for (const cluster of orchestrator.clusters) expect([...new Set(weightsOf(cluster, first))]).toEqual([5, 25, 100]);
    const told = async () => {
      const { events } = await orchestrator.bus.read(deploymentTopic.name, 0, 500);
      return [
        ...new Map(events.filter(({ subject }) => subject === id).map((event) => [event.id, event.type])).values(),
      ];
    };
    await until(async () => (await told()).includes("deployment.succeeded"), { what: "the last event" });
    const steps = (await told()).filter((type) => /step_started|succeeded/.test(type));
    expect(steps).toEqual([...Array(3).fill("deployment.step_started"), "deployment.succeeded"]);
  }

  test("comes to its end, each step once, where answers come late", async () => {
    over.network.delay(10);

    const id = await orchestrator.deploy();
    await orchestrator.reaches(id, "watching");

    await expectRolledOut(id);
  });

  test("comes to its end, each step once, where connections are cut again and again", async () => {
    const id = await orchestrator.deploy();
    const cutting = setInterval(() => over.network.cut(), 150);
    try {
      const isThere = async () => (await orchestrator.state(id)).phase === "watching";
      await until(isThere, { what: "the end", timeoutMs: 120_000 });
    } finally {
      clearInterval(cutting);
    }
    await expectRolledOut(id);
  });

  test("goes on where every connection has gone dead at once, and each step is taken once", async () => {
    const id = await orchestrator.deploy();
    await until(() => orchestrator.clusters.some((cluster) => weightsOf(cluster, first).length > 0), {
      what: "the first weight",
    });
    over.network.strand();

    const isThere = async () => (await orchestrator.state(id)).phase === "watching";
    await until(isThere, { what: "the end", timeoutMs: 60_000 });

    expect(over.network.swallowed()).toBeGreaterThan(0);
    await expectRolledOut(id);
  });

  test("is taken back by a person though every connection has just gone dead", async () => {
    const id = await orchestrator.deploy(longBake);
    await orchestrator.reaches(id, "baking");
    over.network.strand();

    const rollback = () =>
      orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now })).then(() => true);
    await until(rollback, { what: "the rollback to be taken" });
    await until(() => orchestrator.clusters.every(({ weights }) => weights[oldVersion] === 100), {
      what: "the baseline",
    });

    await until(async () => (await orchestrator.state(id)).phase === "rolled_back", { what: "the end" });
  });
});
