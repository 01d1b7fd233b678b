import { deploymentTopic } from "@slipway/contracts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { countingBus, deploymentFigures, toldDeployments } from "../src/figures.ts";
import { type Orchestrator, startOrchestrator } from "./support/orchestrator.ts";

let orchestrator: Orchestrator;
beforeAll(async () => {
  orchestrator = await startOrchestrator();
});
afterAll(() => orchestrator.close());

async function valuesOf(name: string): Promise<Record<string, number>> {
  const figure = deploymentFigures(orchestrator.db, ["staging", "prod"]).find((one) => one.name === name);
  const values = (await figure?.read()) ?? [];
  return Object.fromEntries(values.map(({ labels, value }) => [`${labels.environment} ${labels.phase}`, value]));
}

test("deployments that have not ended are counted by environment and phase, with the age of the oldest", async () => {
  const first = await orchestrator.deploy({ verifyAfterMs: 300_000 });
  await orchestrator.reaches(first, "watching");
  const second = await orchestrator.deploy({ steps: [{ weightPercent: 5, bakeMs: 600_000 }] });
  await orchestrator.reaches(second, "baking");

  const counts = await valuesOf("slipway_deployments");
  const ages = await valuesOf("slipway_deployments_oldest_seconds");

  expect(counts).toMatchObject({ "prod watching": 1, "prod baking": 1, "prod held": 0, "staging baking": 0 });
  expect(ages["prod baking"]).toBeGreaterThan(0);
  expect(ages["prod baking"]).toBeLessThan(60);
  expect([ages["prod held"], ages["prod watching"]]).toEqual([0, undefined]);
});

test("what became of deployments is counted once it is published, by environment", async () => {
  const told = toldDeployments(["prod"]);
  let refuses = true;
  const publish = async () => {
    if (refuses) throw new Error("the bus is away");
  };
  const bus = countingBus({ ...orchestrator.bus, publish }, told);
  const { events } = await orchestrator.bus.read(deploymentTopic.name, 0, 1);
  const accepted = async () =>
    (await told.figure.read()).find(({ labels }) => labels.environment === "prod" && labels.type === "accepted")?.value;
  expect(await accepted()).toBe(0);

  await expect(bus.publish(deploymentTopic.name, events)).rejects.toThrow("away");
  expect(await accepted()).toBe(0);
  refuses = false;
  await bus.publish(deploymentTopic.name, events);

  expect(await accepted()).toBe(1);
});
