import { rollbackDeployment } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { killAndAwait } from "../support/comes-back.ts";
import { eventsOf } from "../support/events.ts";
import { failedBy } from "../support/mesh.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { podsOf } from "../support/processes.ts";
import { rollouts } from "../support/rollouts.ts";
import { steadyRequests } from "../support/steady-requests.ts";
import { type Hanging, hang, hangPostgres } from "../support/stopped.ts";
import { expectToldOnce } from "../support/told-once.ts";
import { turnBad, turnUnready } from "../support/turnable.ts";

const { dataDir } = inject("story");
const regions = ["us-east-1", "eu-west-1", "ap-southeast-1"] as const;
const far = "ap-southeast-1";

let platform: Platform;
let requests: ReturnType<typeof steadyRequests>;
const hanging: Hanging[] = [];

beforeAll(async () => {
  platform = startPlatform({ dataDir, args: ["--no-story"] });
  await platform.printed(/Yours now/);
  requests = steadyRequests(platform.endpoints().regions);
});
afterEach(() => {
  // Only after a failure: what hangs could not be stopped, and the next test needs it.
  for (const one of hanging.splice(0)) one.goOn();
});
afterAll(async () => {
  await requests?.stop();
  await platform.kill();
});

const { canary, isServed, viewOf, isRolledBack, expectLowered } = rollouts(() => platform);

describe("a canary of which no pod is ready any more", () => {
  test("is taken back by what its callers' proxies counted, while no pod of it failed a request", async () => {
    const shipped = await canary("outage");
    await turnUnready(platform, shipped);

    await isServed(shipped, Object.fromEntries(regions.map((name) => [name, 0])), "the baseline everywhere");
    await isRolledBack(shipped);
    expectLowered(shipped);
    const { gates } = await viewOf(shipped);
    expect(gates.at(-1)).toMatchObject({ verdict: "FAIL", weight_percent: 5 });
    const failed = await failedBy(platform.endpoints().regions, shipped.version);
    expect(failed).toEqual({ pods: 0, callers: expect.any(Number) as number });
    expect(failed.callers).toBeGreaterThan(0);
    const { counts } = gates.at(-1) ?? {};
    expect(counts?.canary_errors).toBeGreaterThan(0);
    expect(counts?.canary_errors).toBeLessThanOrEqual(failed.callers);
  });
});

describe("a canary that turns bad", () => {
  test("while the database hangs, a region hangs and the rollback-controller is killed, is out of traffic before the database is back", async () => {
    const shipped = await canary("outage");
    const database = hangPostgres(dataDir);
    const region = hang(dataDir, far);
    hanging.push(database, region);
    await turnBad(platform, shipped);
    const near = Object.fromEntries(regions.filter((name) => name !== far).map((name) => [name, 0]));
    await isServed(shipped, { ...near, [far]: 5 }, "the baseline where the region answers");

    await killAndAwait(dataDir, "rollback-controller");
    region.goOn();
    await isServed(shipped, { ...near, [far]: 0 }, "the baseline in the region that had hung");

    database.goOn();
    await isRolledBack(shipped);
    expectLowered(shipped);
    await expectToldOnce(platform, shipped, (topics) => eventsOf(dataDir, topics));
  });

  test("while the platform hangs is out of traffic before the platform is back, and the platform agrees", async () => {
    const shipped = await canary("outage");
    const hung = hang(dataDir, "platform");
    hanging.push(hung);
    await turnBad(platform, shipped);
    await isServed(shipped, Object.fromEntries(regions.map((name) => [name, 0])), "the baseline everywhere");

    hung.goOn();
    await isRolledBack(shipped);
    expectLowered(shipped);
    await expectToldOnce(platform, shipped, (topics) => eventsOf(dataDir, topics));
  });
});

describe("a canary that is well", () => {
  test("goes on baking when a mesh and a pod are killed: both come back", async () => {
    const shipped = await canary("outage");
    const [near] = regions;
    const baseline = [...podsOf(dataDir, near)].find(([name]) => !name.startsWith(shipped.version)) ?? ["", 0];
    await killAndAwait(dataDir, `mesh-${near}`);
    process.kill(baseline[1], "SIGKILL");
    await until(() => podsOf(dataDir, near).get(baseline[0]) !== baseline[1], {
      timeoutMs: 60_000,
      what: "the pod's end",
    });

    await isServed(shipped, { [near]: 5 }, "5% by the new mesh");
    await until(() => podsOf(dataDir, near).get(baseline[0]), { timeoutMs: 180_000, what: "the pod to run again" });
    const readyz = await fetch(new URL("/readyz", platform.endpoints().platform?.url));
    expect(await readyz.json()).toMatchObject({
      services: expect.arrayContaining([{ service: "rollback-controller", ready: true }]),
    });
    expect((await viewOf(shipped)).phase).toBe("baking");

    await platform.as("deployer").call(rollbackDeployment, { params: { id: shipped.id }, body: { reason: "enough" } });
    await isRolledBack(shipped);
    expectLowered(shipped);
  });
});
