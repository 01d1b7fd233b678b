import { deploymentTopic } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Plan } from "../src/domain/deployment.ts";
import { waitingOf } from "../src/domain/view.ts";
import { type Orchestrator, startOrchestrator, versionOf } from "./support/orchestrator.ts";

let orchestrator: Orchestrator;
beforeEach(async () => {
  orchestrator = await startOrchestrator();
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
});

const atOnce: Partial<Plan> = { steps: [{ weightPercent: 100, bakeMs: 0 }] };
const rollback = (id: string) =>
  orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "not today", now }));

test("what nothing proves waits for a named approval before it gets more than 5%, and goes on with it", async () => {
  const id = await orchestrator.deploy(atOnce);

  const waiting = await orchestrator.reaches(id, "awaiting_approval");
  expect(waitingOf(waiting)).toMatchObject({ for: "a named approval" });

  await orchestrator.send(id, (now) => ({ type: "Approve", by: "grace", reason: "I looked at it", now }));
  await orchestrator.reaches(id, "watching");
});

test("what is taken back before it had a weight is cancelled, and its lock is free", async () => {
  const id = await orchestrator.deploy(atOnce);
  await orchestrator.reaches(id, "awaiting_approval");

  await rollback(id);

  await orchestrator.reaches(id, "cancelled");
  await orchestrator.lockIsFree();
});

test("a version whose pods do not get ready has failed, with the reason, and what serves goes on", async () => {
  for (const cluster of orchestrator.clusters) cluster.neverReady = true;
  const before = orchestrator.clusters.map(({ weights }) => weights);
  const workload = { replicas: 4, ready: { path: "/", timeoutMs: 100 } } as unknown as Plan["workload"];
  const id = await orchestrator.deploy({ workload });

  const failed = await orchestrator.reaches(id, "failed");

  expect(failed).toMatchObject({ reason: expect.stringContaining("are not ready"), hadWeight: false });
  expect(orchestrator.clusters.map(({ weights }) => weights)).toEqual(before);
});

test("a mesh that has not followed for two minutes is told, and once more when it does", async () => {
  const events = async () => (await orchestrator.bus.read(deploymentTopic.name, 0, 500)).events;
  const mesh = async () => (await events()).filter(({ type }) => /mesh_|rolled_back/.test(type));
  const long = { steps: [{ weightPercent: 5, bakeMs: 600_000 }, ...(atOnce.steps ?? [])] };
  const id = await orchestrator.deploy(long);
  const { plan } = await orchestrator.reaches(id, "baking");
  orchestrator.mesh("a").lingering.add(plan.version);
  await rollback(id);
  const regionsAre = async (a: string, b: string) => {
    const { regions } = await orchestrator.state(id);
    return regions.a?.state === a && regions.b?.state === b;
  };
  await until(() => regionsAre("shut", "retired"), { what: "the mesh of b alone to follow" });

  // Two minutes later.
  await sql`update command set run_after = clock_timestamp() where payload->>'purpose' = 'mesh'`.execute(
    orchestrator.db,
  );
  await until(async () => (await mesh()).length === 1, { what: "it to be told" });
  orchestrator.mesh("a").lingering.clear();
  await orchestrator.reaches(id, "rolled_back");
  await until(async () => (await mesh()).length === 3, { what: "the rest to be told" });

  const since = (await orchestrator.state(id)).regions.a?.lowered?.at;
  expect(await mesh()).toMatchObject([
    { type: "deployment.mesh_behind", data: { region: "a", since, from_percent: 5, version: plan.version } },
    { type: "deployment.mesh_followed", data: { region: "a", since } },
    { type: "deployment.rolled_back" },
  ]);
});

test("a region that cannot be written for two minutes is told, and once more when it was written", async () => {
  const told = async () =>
    (await orchestrator.bus.read(deploymentTopic.name, 0, 500)).events.filter(({ type }) => /region_/.test(type));
  const long = { steps: [{ weightPercent: 5, bakeMs: 600_000 }, ...(atOnce.steps ?? [])] };
  const id = await orchestrator.deploy(long);
  const { plan } = await orchestrator.reaches(id, "baking");
  orchestrator.cluster("a").away = true;
  await rollback(id);
  await until(async () => (await orchestrator.state(id)).regions.b?.state === "retired", { what: "b to be done" });

  // Two minutes later.
  await sql`update command set run_after = clock_timestamp() where payload->>'purpose' = 'region'`.execute(
    orchestrator.db,
  );
  await until(async () => (await told()).length === 1, { what: "it to be told" });
  orchestrator.cluster("a").away = false;
  const { phase } = await orchestrator.reaches(id, "rolled_back");
  await until(async () => (await told()).length === 2, { what: "that it was written to be told" });

  expect(phase).toBe("rolled_back");
  expect(await told()).toMatchObject([
    { type: "deployment.region_away", data: { region: "a", weight_percent: 5, version: plan.version } },
    { type: "deployment.region_back", data: { region: "a" } },
  ]);
});

test("a version that came to 100% while another deployment of it waited leaves that one nothing to do, which is told", async () => {
  const first = await orchestrator.deploy(atOnce);
  await orchestrator.reaches(first, "awaiting_approval");
  const again = await orchestrator.deploy({ ...atOnce, version: versionOf(1) });
  await orchestrator.reaches(again, "queued");

  await orchestrator.send(first, (now) => ({ type: "Approve", by: "grace", reason: "I looked at it", now }));

  await orchestrator.reaches(again, "superseded");
  const told = async () => (await orchestrator.bus.read(deploymentTopic.name, 0, 500)).events.map(({ type }) => type);
  await until(async () => (await told()).includes("deployment.superseded"), { what: "it to be told" });
});
