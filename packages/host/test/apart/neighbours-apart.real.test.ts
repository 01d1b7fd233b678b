import type { PlatformService } from "@slipway/client";
import {
  createDeployment,
  getBuild,
  getDeployment,
  getDeploymentStatus,
  listArtifacts,
  listDeployments,
  rollbackDeployment,
} from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { type FaultProxy, startFaultProxy, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type OneRegion, oneRegion } from "./one-region.ts";
import { type PlatformApart, preparePlatform, serviceNames } from "./platform-apart.ts";
import { endOf, push, type Shop, shopRepository } from "./shop.ts";

/** A canary that stays at 5% until somebody says something. */
const longBake = "environments: { dev: { steps: [{ weight: 5, bake: 10m }, { weight: 100 }] } }\n";

/** Six processes; what one calls of another goes through a proxy. */
describe("over a bad network between services", () => {
  let platform: PlatformApart;
  let region: OneRegion;
  let shop: Shop;
  const proxies: FaultProxy[] = [];
  let buildToRegistry: FaultProxy;
  let deploysToRegistry: FaultProxy;
  let deploysToWatch: FaultProxy;
  let next: string;

  beforeAll(async () => {
    platform = await preparePlatform();
    region = await oneRegion(platform.folder, {
      url: platform.urlOf("artifact-registry"),
      token: platform.tokens.viewer,
    });
    buildToRegistry = await proxyOf("artifact-registry");
    deploysToRegistry = await proxyOf("artifact-registry");
    deploysToWatch = await proxyOf("rollback-controller");
    const url = ({ port }: FaultProxy) => `http://127.0.0.1:${port}`;
    const withRegions = { SLIPWAY_REGIONS: region.file };
    const own: Partial<Record<PlatformService, Readonly<Record<string, string>>>> = {
      "build-service": { SLIPWAY_GIT_ALLOW_FILE: "true", SLIPWAY_ARTIFACT_REGISTRY_URL: url(buildToRegistry) },
      "artifact-registry": { SLIPWAY_REGISTRY_HOST: new URL(platform.urlOf("artifact-registry")).host },
      "deployment-orchestrator": {
        ...withRegions,
        SLIPWAY_ARTIFACT_REGISTRY_URL: url(deploysToRegistry),
        SLIPWAY_ROLLBACK_CONTROLLER_URL: url(deploysToWatch),
      },
      "rollback-controller": withRegions,
    };
    await Promise.all(serviceNames.map((name) => platform.start(name, own[name])));
    shop = await shopRepository(platform, longBake);
  });
  afterEach(() => {
    for (const proxy of proxies) {
      proxy.swallow(false);
      proxy.delay(0);
      proxy.cut();
    }
  });
  afterAll(async () => {
    await platform?.stop();
    await region?.stop();
    for (const proxy of proxies) await proxy.stop();
  });

  async function proxyOf(service: PlatformService): Promise<FaultProxy> {
    const proxy = await startFaultProxy(Number(new URL(platform.urlOf(service)).port));
    proxies.push(proxy);
    return proxy;
  }
  const blackHole = (proxy: FaultProxy) => {
    proxy.swallow(true);
    proxy.strand();
  };
  const viewer = () => platform.client("viewer");
  const artifactsOf = async (sha: string) =>
    (await viewer().call(listArtifacts, { query: { service: "shop", git_sha: sha } })).artifacts;
  const phaseOf = async (id: string) =>
    (await viewer().call(getDeploymentStatus, { params: { id: id as DeploymentId } })).status;
  const body = (version: string) => ({ service: "shop", version, environment: "dev", regions: ["us-east-1"] });

  test("a build whose registry answers late is built, pushed and registered once", async () => {
    buildToRegistry.delay(500);

    expect(await endOf(platform, await push(platform, shop))).toMatchObject({ status: "SUCCEEDED" });

    expect(await artifactsOf(shop.sha)).toHaveLength(1);
  });

  test("a build whose registry is a black hole waits with the reason, and is pushed and registered once when it answers", async () => {
    next = await shop.commit("hello again");
    blackHole(buildToRegistry);
    const id = await push(platform, { ...shop, sha: next });

    let said = "";
    await until(
      async () => {
        const { waiting } = await viewer().call(getBuild, { params: { id } });
        said = waiting?.for ?? said;
        return /v2\/shop.*time/i.test(said);
      },
      { what: "the build to say what it waits for", timeoutMs: 240_000 },
    ).catch((error: unknown) => {
      throw new Error(`the build said: ${said}`, { cause: error });
    });
    buildToRegistry.swallow(false);

    expect(await endOf(platform, id)).toMatchObject({ status: "SUCCEEDED" });
    expect(await artifactsOf(next)).toHaveLength(1);
  });

  test("who asks for a deployment while the registry is a black hole is told so in time, and the same key makes one when it answers", async () => {
    blackHole(deploysToRegistry);
    const ask = () =>
      fetch(`${platform.urlOf("deployment-orchestrator")}${createDeployment.path}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${platform.tokens.deployer}`,
          "content-type": "application/json",
          "idempotency-key": "only-once",
        },
        body: JSON.stringify(body(shop.sha)),
        signal: AbortSignal.timeout(20_000),
      });

    const refused = await ask();
    expect([refused.status, await refused.json()]).toMatchObject([
      503,
      { code: "unavailable", detail: expect.stringMatching(/artifacts.* was not answered within/) },
    ]);

    deploysToRegistry.swallow(false);
    const [one, other] = [await ask(), await ask()];
    const ids = [await one.json(), await other.json()].map(
      (answer) => (answer as { deployment_id: string }).deployment_id,
    );
    expect([one.status, new Set(ids).size]).toEqual([202, 1]);
    const { deployments } = await viewer().call(listDeployments, { query: { service: "shop" } });
    expect(deployments).toHaveLength(1);
    await until(async () => (await phaseOf(ids[0] ?? "")) === "SUCCEEDED", { what: "it", timeoutMs: 120_000 });
  });

  test("a canary whose rollback-controller answers late comes to its step, and a person takes it back though it has become a black hole; the status is told meanwhile", async () => {
    deploysToWatch.delay(500);
    const id = await canary("late");
    deploysToWatch.delay(0);
    blackHole(deploysToWatch);
    const swallowed = deploysToWatch.swallowed();

    const askedAt = performance.now();
    expect(await phaseOf(id)).toBe("CANARY_MONITORING");
    expect(performance.now() - askedAt).toBeLessThan(8_000);
    expect(deploysToWatch.swallowed()).toBeGreaterThan(swallowed);

    const asked = { params: { id }, body: { reason: "enough" }, idempotencyKey: `rollback-${id}` };
    await platform.client("deployer").call(rollbackDeployment, asked);
    await until(async () => (await phaseOf(id)) === "ROLLED_BACK", { what: `${id} taken back`, timeoutMs: 60_000 });
  });

  async function canary(key: string): Promise<DeploymentId> {
    const { deployment_id } = await platform
      .client("deployer")
      .call(createDeployment, { body: body(next), idempotencyKey: key });
    const id = String(deployment_id) as DeploymentId;
    const isThere = async () => (await viewer().call(getDeployment, { params: { id } })).phase === "baking";
    await until(isThere, { what: `${id} at 5%`, timeoutMs: 180_000 });
    return id;
  }
});
