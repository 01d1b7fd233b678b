import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  createDeployment,
  getDeployment,
  getRestore,
  listDeployments,
  listRegions,
  resumeDeployment,
  rollbackDeployment,
} from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { identify } from "../../src/processes/identity.ts";
import { type ByHand, byHand } from "../support/by-hand.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { pidOf, postgresPid } from "../support/processes.ts";
import { runCommand } from "../support/run-command.ts";
import { slipway } from "../support/slipway.ts";

const { dataDir } = inject("story");
const region = "us-east-1" as never;
const postgres = join(dataDir, "postgres");
const backup = join(dataDir, "..", `${dataDir.split("/").at(-1)}-backup`);

let platform: Platform;
let hand: ByHand;
/** The story's bad change: nobody sends requests here, so that it stays at its first step. */
let badSha = "";

async function start(): Promise<void> {
  platform = startPlatform({ dataDir, args: ["--no-story"] });
  await platform.printed(/Yours now/);
}

/** As when the machine of the platform goes down: regions, meshes and pods are elsewhere and run on. */
async function goDown(): Promise<void> {
  await platform.kill();
  const database = postgresPid(dataDir);
  process.kill(pidOf(dataDir, "rollback-controller"), "SIGKILL");
  process.kill(database, "SIGINT");
  await until(() => identify(database) === undefined, { what: "the end of Postgres", timeoutMs: 60_000 });
}

/** With its owners: Postgres runs as the owner of its files, and not as root. */
async function copy(from: string, to: string): Promise<void> {
  const { code, err } = await runCommand("cp", ["-a", from, to]);
  if (code !== 0) throw new Error(err);
}

beforeAll(async () => {
  await start();
  hand = await byHand(dataDir, region);
  const { deployments } = await platform.as("viewer").call(listDeployments, { query: { page_size: 100 } });
  badSha = deployments.find(({ status }) => status === "ROLLED_BACK")?.git_sha ?? "";
});

afterAll(async () => {
  rmSync(backup, { recursive: true, force: true });
  await platform.kill();
});

const look = (id: DeploymentId) => platform.as("viewer").call(getDeployment, { params: { id } });

async function reaches(id: DeploymentId, phase: string): Promise<Awaited<ReturnType<typeof look>>> {
  const found = async () => ((view) => (view.phase === phase ? view : undefined))(await look(id));
  return until(found, { timeoutMs: 60_000, what: `${id} to be ${phase}` });
}

/** Deploys the bad change again, as an approver may, and waits until it bakes at 5%. */
async function canary() {
  const body = { service: "orders" as never, version: badSha, strategy: "canary" as const, regions: [region] };
  const answer = await platform.as("approver").call(createDeployment, {
    query: {},
    body,
    idempotencyKey: crypto.randomUUID(),
  });
  const id = answer.deployment_id as DeploymentId;
  return { id, version: (await reaches(id, "baking")).version };
}

async function takeBack(id: DeploymentId): Promise<void> {
  await platform.as("deployer").call(rollbackDeployment, { params: { id }, body: { reason: "a test" } });
  await reaches(id, "rolled_back");
}

const weightIs = (version: string, percent: number) =>
  until(async () => (await hand.weights())?.[version] === percent, { what: `${percent}%` });

describe("somebody with kubectl, during a bake", () => {
  const own = { id: "" as DeploymentId, version: "" };

  beforeAll(async () => {
    Object.assign(own, await canary());
  });

  test("who raises the weight sees it back in a moment, and the deployment says so", async () => {
    await hand.setWeight(own.version, 60);

    await weightIs(own.version, 5);
    const view = await until(
      async () => ((found) => (found.regions[region]?.reason == null ? undefined : found))(await look(own.id)),
      { what: "the region's reason" },
    );
    expect(view).toMatchObject({ phase: "baking", status: "CANARY_MONITORING" });
    expect(view.regions[region]?.reason).toMatch(/raised to 60% by .+: repaired to 5%/);
  });

  test("who pauses the service holds the deployment with that reason, until the annotation is gone", async () => {
    await hand.annotate("slipway.dev/paused", "database maintenance");
    const held = await reaches(own.id, "held");
    expect(held.waiting).toMatchObject({
      for: "us-east-1: slipway.dev/paused: database maintenance",
      unblockedBy: "slipway.dev/paused is removed",
    });

    await hand.annotate("slipway.dev/paused", null);

    await reaches(own.id, "baking");
  });

  test("who lowers the weight halts it: it stays lowered until a person resumes it", async () => {
    await hand.setWeight(own.version, 1);
    const held = await reaches(own.id, "held");
    expect(held.waiting).toMatchObject({ for: "us-east-1: the weight was lowered to 1%" });
    expect((await hand.weights())?.[own.version]).toBe(1);

    await platform.as("deployer").call(resumeDeployment, { params: { id: own.id }, body: {} });

    await weightIs(own.version, 5);
    await reaches(own.id, "baking");
  });

  test("who deletes the VirtualService has the canary taken back, and the gate is shut anew", async () => {
    await hand.remove();

    const ended = await reaches(own.id, "rolled_back");

    expect(ended.reason).toMatch(/the VirtualService was deleted/);
    expect((await hand.annotations())["slipway.dev/fence"]).toMatch(new RegExp(`^\\d+/\\d+/shut/${own.id}$`));
  });
});

describe("a backup of the database that is older than its regions", () => {
  let lost = "" as DeploymentId;

  beforeAll(async () => {
    await goDown();
    await copy(postgres, backup);
    await start();
    lost = (await canary()).id;
    await takeBack(lost);
    await goDown();
    rmSync(postgres, { recursive: true });
    await copy(backup, postgres);
    await start();
  });

  test("only observes them: deployments are refused, and everybody is told why", async () => {
    const found = await platform.as("viewer").call(getRestore, {});
    expect(found).toMatchObject({ observing: true, differences: [{ region, holder_there: lost }] });
    const { regions } = await platform.as("viewer").call(listRegions, {});
    expect(regions.find(({ name }) => name === region)?.observed).toEqual(["prod/orders"]);

    const ran = await slipway(dataDir, "deploy", "orders", badSha, "--regions", region);

    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(/restore\.required/);
    expect(ran.err).toContain("slipway restore accept");
  });

  test("slipway restore shows the differences and changes nothing until it is told --yes", async () => {
    const shown = await slipway(dataDir, "restore");
    expect(shown.code, shown.err).toBe(0);
    expect(shown.out).toMatch(/orders in prod, us-east-1\n +database +epoch \d+/);
    const asked = await slipway(dataDir, "restore", "accept");
    expect([asked.code, asked.out.includes("--yes")]).toEqual([1, true]);

    const done = await slipway(dataDir, "restore", "accept", "--yes", "--reason", "a test");

    expect(done.code, done.err + done.out).toBe(0);
    expect(await platform.as("viewer").call(getRestore, {})).toMatchObject({ observing: false });
  });

  test("afterwards deployments work again, under a new number and a newer grant", async () => {
    const next = await canary();
    expect(Number(next.id.slice(2))).toBeGreaterThan(Number(lost.slice(2)));
    await weightIs(next.version, 5);
    await takeBack(next.id);
  });
});
