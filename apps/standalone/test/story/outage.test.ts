import {
  type CloudEvent,
  type DeploymentView,
  getDeployment,
  listNotifications,
  rollbackDeployment,
} from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { killAndAwait } from "../support/comes-back.ts";
import { eventsOf } from "../support/events.ts";
import { trafficWrites } from "../support/fences.ts";
import { servedNow } from "../support/mesh.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { podsOf, processesOf } from "../support/processes.ts";
import { steadyRequests } from "../support/steady-requests.ts";
import { type Hanging, hang, hangPostgres } from "../support/stopped.ts";
import { shipTurnable, type Turnable, turnBad } from "../support/turnable.ts";

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
  platform.interrupt();
  await platform.exit();
  expect(processesOf(dataDir)).toEqual([]);
});

const served = ({ version }: Turnable) => servedNow(platform.endpoints().regions, version);

/** A canary that every mesh serves at 5%. */
async function canary(release: string): Promise<Turnable> {
  const shipped = await shipTurnable(platform, release);
  const everywhere = async () => Object.values(await served(shipped)).every((weight) => weight === 5);
  await until(everywhere, { timeoutMs: 180_000, what: `5% of ${shipped.id} everywhere` }).catch(
    async (error: unknown) => {
      const { phase, waiting, regions: progress } = await viewOf(shipped);
      throw new Error(JSON.stringify({ phase, waiting, progress, served: await served(shipped) }), { cause: error });
    },
  );
  await until(async () => (await viewOf(shipped)).phase === "baking", { timeoutMs: 180_000, what: "the bake" });
  return shipped;
}

async function isServed(shipped: Turnable, weights: Readonly<Record<string, number>>, what: string): Promise<void> {
  await until(
    async () => {
      const now = await served(shipped);
      return Object.entries(weights).every(([region, weight]) => now[region] === weight);
    },
    { timeoutMs: 180_000, what },
  );
}

function viewOf({ id }: Turnable): Promise<DeploymentView> {
  return platform.as("viewer").call(getDeployment, { params: { id } });
}

async function isRolledBack(shipped: Turnable): Promise<void> {
  await until(async () => (await viewOf(shipped)).status === "ROLLED_BACK", {
    timeoutMs: 180_000,
    what: "ROLLED_BACK",
  });
}

/** Each write once, the only weight of the version the first one, and nothing raised behind the shut gate. */
function expectLowered({ id, version }: Turnable): void {
  for (const region of regions) {
    const writes = trafficWrites(dataDir, region).filter(({ deployment }) => deployment === id);
    const seqs = writes.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    const weights = writes.map(
      (write) => write.weights[Object.keys(write.weights).find((host) => host.includes(version)) ?? ""] ?? 0,
    );
    expect(weights.filter((weight) => weight > 0)).toEqual([5]);
    expect(writes.at(-1)?.gate).toBe("shut");
  }
}

async function expectReportedOnce({ id }: Turnable): Promise<void> {
  const titles = await until(
    async () => {
      const { notifications } = await platform.as("viewer").call(listNotifications, { query: { page_size: 100 } });
      const own = notifications.filter(({ about }) => about === id).map(({ title }) => title.split(":")[0]);
      return own.some((title) => title === "Taken back") && own.some((title) => title?.startsWith("Bad"))
        ? own
        : undefined;
    },
    { timeoutMs: 60_000, what: "the notices" },
  );
  expect([...titles].sort()).toEqual(["Bad deployment caught at 5%", "Taken back"]);
  const { "slipway.watch.v1": watch = [], "slipway.deployment.v1": deployment = [] } = await eventsOf(dataDir, [
    "slipway.watch.v1",
    "slipway.deployment.v1",
  ]);
  const of = (events: readonly CloudEvent[], type: string) =>
    events.filter((event) => event.subject === id && event.type === type);
  expect(of(watch, "watch.failed")).toHaveLength(1);
  expect(of(watch, "watch.shut_confirmed")).toHaveLength(regions.length);
  expect(of(deployment, "deployment.rolled_back")).toHaveLength(1);
}

describe("a canary that turns bad", () => {
  test("while the database hangs, a region hangs and the rollback-controller is killed, is out of traffic before the database is back", async () => {
    const shipped = await canary("outage.1");
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
    await expectReportedOnce(shipped);
  });

  test("while the platform hangs is out of traffic before the platform is back, and the platform agrees", async () => {
    const shipped = await canary("outage.2");
    const hung = hang(dataDir, "platform");
    hanging.push(hung);
    await turnBad(platform, shipped);
    await isServed(shipped, Object.fromEntries(regions.map((name) => [name, 0])), "the baseline everywhere");

    hung.goOn();
    await isRolledBack(shipped);
    expectLowered(shipped);
    await expectReportedOnce(shipped);
  });
});

describe("a canary that is well", () => {
  test("goes on baking when a mesh and a pod are killed: both come back", async () => {
    const shipped = await canary("outage.3");
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
