import type { PlatformService } from "@slipway/client";
import { createDeployment, getDeployment, getWatch, listArtifacts } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { realPart, shiftedClock, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { broughtBackends } from "./brought-backends.ts";
import { type OneRegion, oneRegion } from "./one-region.ts";
import { type PlatformApart, preparePlatform, type Replica, serviceNames } from "./platform-apart.ts";
import type { Backends } from "./services-apart.contract.ts";
import { endOf, push, type Shop, shopRepository } from "./shop.ts";

const parts = { kafka: realPart("kafka"), redis: realPart("redis"), s3: realPart("versitygw") };
const bakeMs = 6_000;
const shortBake = `environments: { dev: { steps: [{ weight: 5, bake: ${bakeMs / 1_000}s }, { weight: 100 }] } }\n`;

/** Six processes with Kafka, Redis and S3, of which one after the other is half a minute off: its tokens are taken, its leases are its own, and no step is early or late. */
describe.skipIf(Object.values(parts).includes(undefined)).each([
  ["ahead", 30_000],
  ["behind", -30_000],
])("where the clock of one process is half a minute %s", (name, ms) => {
  let backends: Backends;
  let platform: PlatformApart;
  let region: OneRegion;
  let shop: Shop;
  let replicas: Replica[];
  let own: Partial<Record<PlatformService, Readonly<Record<string, string>>>>;
  const viewer = () => platform.client("viewer");

  beforeAll(async () => {
    backends = await broughtBackends(parts);
    platform = await preparePlatform(backends.env);
    const registry = platform.urlOf("artifact-registry");
    region = await oneRegion(platform.folder, { url: registry, token: platform.tokens.viewer });
    own = {
      "build-service": { SLIPWAY_GIT_ALLOW_FILE: "true", ...shiftedClock(ms), ...backends.objects },
      "artifact-registry": { SLIPWAY_REGISTRY_HOST: new URL(registry).host, ...backends.objects },
      "deployment-orchestrator": { SLIPWAY_REGIONS: region.file },
      "rollback-controller": { SLIPWAY_REGIONS: region.file },
    };
    replicas = await Promise.all(serviceNames.map((service) => platform.start(service, own[service])));
    shop = await shopRepository(platform, shortBake);
  });
  afterAll(async () => {
    await platform?.stop();
    await region?.stop();
    await backends?.stop();
  });

  /** From here on this one is off, in the place of the one that was not. */
  async function shift(service: PlatformService): Promise<void> {
    const before = replicas.find((replica) => replica.service === service);
    await before?.end("SIGTERM");
    const shifted = await platform.start(
      service,
      { ...own[service], ...shiftedClock(ms) },
      { url: platform.urlOf(service) },
    );
    replicas = replicas.map((replica) => (replica === before ? shifted : replica));
  }

  /** The time of its last line. */
  const loggedAt = (service: PlatformService): number => {
    const said = replicas.find((replica) => replica.service === service)?.said() ?? "";
    const time = [...said.matchAll(/"time":"?([^",]+)/g)].at(-1)?.[1] ?? "";
    return /^\d+$/.test(time) ? Number(time) : Date.parse(time);
  };

  const viewOf = (id: DeploymentId) => viewer().call(getDeployment, { params: { id } });

  async function deploy(version: string): Promise<DeploymentId> {
    const body = { service: "shop", version, environment: "dev", regions: ["us-east-1"] };
    const asked = { body, idempotencyKey: version };
    return (await platform.client("deployer").call(createDeployment, asked)).deployment_id as DeploymentId;
  }

  async function reaches(id: DeploymentId, phase: string): Promise<number> {
    const what = { what: `${id} to be ${phase}`, timeoutMs: 120_000 };
    await until(async () => (await viewOf(id)).phase === phase, what);
    return performance.now();
  }

  /** A canary bakes for as long as it should, by the clock of everybody else. */
  async function bakes(version: string): Promise<DeploymentId> {
    const id = await deploy(version);
    const began = await reaches(id, "baking");
    const ended = await reaches(id, "watching");
    // It began a moment before it was seen to, and after 100% it settles.
    expect(ended - began).toBeGreaterThan(bakeMs - 2_000);
    expect(ended - began).toBeLessThan(bakeMs + 24_000);
    return id;
  }

  test("builds go through once, and what was built is registered", async () => {
    const build = await endOf(platform, await push(platform, shop));

    // Its clock is off indeed: its log says so.
    expect(Math.abs(loggedAt("build-service") - Date.now() - ms)).toBeLessThan(15_000);
    expect(build.status).toBe("SUCCEEDED");
    const { artifacts } = await viewer().call(listArtifacts, { query: { service: "shop" } });
    expect(artifacts).toMatchObject([{ git_sha: shop.sha }]);
    await reaches(await deploy(shop.sha), "watching");
  });

  test("an orchestrator bakes for as long as it should", async () => {
    const sha = await shop.commit("second");
    expect(await endOf(platform, await push(platform, { ...shop, sha }))).toMatchObject({ status: "SUCCEEDED" });
    await shift("deployment-orchestrator");

    await bakes(sha);
  });

  test("a rollback-controller keeps its watch, and nobody takes it for silent", async () => {
    const sha = await shop.commit("third");
    expect(await endOf(platform, await push(platform, { ...shop, sha }))).toMatchObject({ status: "SUCCEEDED" });
    await shift("rollback-controller");

    const id = await bakes(sha);

    const { as_of, state } = await viewer().call(getWatch, { params: { id } });
    const offMs = Date.parse(as_of ?? "") - Date.now();
    expect(state).toBe("watching");
    expect(Math.abs(offMs - ms)).toBeLessThan(10_000);
    const { regions } = await viewOf(id);
    expect(JSON.stringify(regions)).not.toContain("no look since");
    for (const { said } of replicas) expect(said(), name).not.toContain("auth.invalid");
  });
});
