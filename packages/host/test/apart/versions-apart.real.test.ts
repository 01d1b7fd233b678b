import { postgresBus } from "@slipway/bus";
import type { PlatformService } from "@slipway/client";
import {
  buildTopic,
  createDeployment,
  type DeploymentView,
  deploymentTopic,
  getDeployment,
  rollbackDeployment,
} from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Canaries, canariesOf } from "./canaries.ts";
import { earlierCommit, earlierServices, whyNoEarlier } from "./earlier-services.ts";
import { type OneRegion, oneRegion } from "./one-region.ts";
import { type PlatformApart, preparePlatform, type Replica, serviceNames, servicesBundle } from "./platform-apart.ts";
import { endOf, isMoved, push, type Shop, shopRepository } from "./shop.ts";
import { type SteadyRequests, steadyRequests } from "./steady-requests.ts";

const twice = ["deployment-orchestrator", "build-service"] as const satisfies readonly PlatformService[];
const region = "us-east-1";
const timeoutMs = 90_000;
const missing = await whyNoEarlier();

type UnderWay = {
  readonly sha: string;
  readonly build: Awaited<ReturnType<typeof push>>;
  readonly deployment: DeploymentId | undefined;
};
/** Environments of production: in one the canary turns bad, in the other a person takes it back. */
type Place = "prod" | "staging";
type AtFivePercent = Readonly<Record<Place, DeploymentView>>;
const places = ["staging", "prod"] as const satisfies readonly Place[];

/** The program of an earlier commit and the one of today, each in processes of its own, on one database. */
describe.skipIf(missing !== undefined)(`${missing ?? `replicas of ${earlierCommit} and of today`}`, () => {
  let platform: PlatformApart;
  let place: OneRegion;
  let shop: Shop;
  let programs: { readonly earlier: string; readonly today: string };
  const replicas = new Map<PlatformService, Replica[]>();
  const ended: Replica[] = [];
  const deployed: DeploymentId[] = [];
  const builds: string[] = [];
  /** The commit that was built last. */
  let built: string;
  /** By the first build. */
  let printed: string;
  let canaries: Canaries;
  let tried: { readonly sha: string; readonly answer: string };
  const requests = new Map<Place, SteadyRequests>();

  beforeAll(async () => {
    programs = { earlier: await earlierServices(), today: await servicesBundle() };
    platform = await preparePlatform({ SLIPWAY_PRODUCTION: places.join(",") }, {}, programs.earlier);
    place = await oneRegion(platform.folder, {
      url: platform.urlOf("artifact-registry"),
      token: platform.tokens.viewer,
    });
    for (const service of [...serviceNames, ...twice]) await start(service, "earlier");
    canaries = canariesOf(platform);
  });
  afterAll(async () => {
    for (const steady of requests.values()) await steady.stop();
    await canaries?.close();
    await platform?.stop();
    await place?.stop();
  });

  test("of the earlier one alone build and deploy, to production, too", async () => {
    shop = await shopRepository(platform);
    await areEnded(await begin(shop.sha));
    printed = await logOf(firstBuild());
    tried = { sha: await shop.commit("once more"), answer: "once more" };
    await areEnded(await begin(tried.sha));

    for (const sha of [shop.sha, tried.sha]) await canaries.promote(sha);
    const first = await Promise.all(places.map((place) => canaries.deploy(shop.sha, place, true)));
    for (const id of first) await canaries.comesTo(id, "SUCCEEDED");
    deployed.push(...first);
    for (const at of places) requests.set(at, steadyRequests(place.meshUrl, at));
  });

  test("beside each other share what is under way while an upgrade replaces the earlier ones, one by one", async () => {
    await platform.prepare(programs.today);
    const under = await begin(await shop.commit("upgraded"));
    const byEarlier = await atFivePercent();

    for (const service of twice) await replaceAll(service, "today");
    await areEnded(under);
    await areTakenBack(byEarlier);
    const besideEarlier = await atFivePercent();
    for (const service of serviceNames) if (!twice.some((name) => name === service)) await replaceAll(service, "today");

    await areTakenBack(besideEarlier);
    await areEnded(await begin(await shop.commit("after the upgrade")));
    await until(() => isMoved(platform, firstBuild()), { what: "the first log to be in the object store", timeoutMs });
    expect(await logOf(firstBuild())).toBe(printed);
  });

  test("beside each other share what is under way while the upgrade is taken back", async () => {
    const under = await begin(await shop.commit("taken back"));
    const byToday = await atFivePercent();

    for (const service of twice) await replaceAll(service, "earlier");
    await areEnded(under);
    await areTakenBack(byToday);
    const besideToday = await atFivePercent();
    await replaceAll("rollback-controller", "earlier");

    await areTakenBack(besideToday);
    await areEnded(await begin(await shop.commit("as before")));
    expect(await logOf(firstBuild())).toMatch(
      /^the log of this build is in the object store now .* a newer one does\n$/,
    );
  });

  test("lose nothing, do nothing twice, and none of them stumbles over what the other wrote", async () => {
    expect(await toldOnce(deploymentTopic.name, "deployment.succeeded")).toEqual(deployed.map(String).sort());
    expect(await toldOnce(buildTopic.name, "build.succeeded")).toEqual([...builds].sort());
    for (const schema of ["deployment", "build"]) expect(await leftOver(schema)).toEqual([]);
    for (const { service, said } of [...ended, ...[...replicas.values()].flat()]) {
      const loud = said()
        .split("\n")
        .filter((line) => /"level":[56]0/.test(line));
      expect([service, loud]).toEqual([service, []]);
    }
  });

  const own: Partial<Record<PlatformService, () => Record<string, string>>> = {
    // A folder in common is a store that both processes see.
    "build-service": () => ({
      SLIPWAY_GIT_ALLOW_FILE: "true",
      SLIPWAY_OBJECTS_URL: `file://${platform.folder}/objects`,
      SLIPWAY_MOVE_BUILD_LOGS: "1s",
    }),
    "artifact-registry": () => ({ SLIPWAY_REGISTRY_HOST: new URL(platform.urlOf("artifact-registry")).host }),
    "deployment-orchestrator": () => ({ SLIPWAY_REGIONS: place.file, SLIPWAY_MINIMUM_BAKE: "0s" }),
    "rollback-controller": () => ({ SLIPWAY_REGIONS: place.file }),
  };

  /** `url`: the address of the one whose place it takes. */
  async function start(service: PlatformService, version: "earlier" | "today", url?: string): Promise<void> {
    const how = { program: programs[version], ...(url === undefined ? {} : { url }) };
    // The two of them work on any disk; the registry's images are on its own.
    const disk = twice.some((name) => name === service) ? {} : { SLIPWAY_DATA: platform.dataOf(service) };
    const replica = await platform.start(service, { ...disk, ...own[service]?.() }, how);
    const ready = async () => (await fetch(`${replica.url}/readyz`)).status === 200;
    await until(ready, { what: `${service} to be ready`, timeoutMs }).catch((cause: unknown) => {
      throw new Error(replica.said(), { cause });
    });
    replicas.set(service, [...(replicas.get(service) ?? []), replica]);
  }

  /** As a cluster does it: one is ended in order, another takes its place, and the next is ended once that is ready. */
  async function replaceAll(service: PlatformService, version: "earlier" | "today"): Promise<void> {
    for (const former of replicas.get(service) ?? []) {
      expect([service, await former.end("SIGTERM")]).toEqual([service, 0]);
      ended.push(former);
      replicas.set(
        service,
        (replicas.get(service) ?? []).filter((one) => one !== former),
      );
      await start(service, version, former.url);
    }
  }

  /** The build of this commit is under way, and so is the deployment of the one before it. */
  async function begin(sha: string): Promise<UnderWay> {
    const build = await push(platform, { ...shop, sha });
    const deployment = builds.length === 0 ? undefined : await deploy(built);
    builds.push(build);
    return { sha, build, deployment };
  }

  async function deploy(sha: string): Promise<DeploymentId> {
    const body = { service: "shop", version: sha, environment: "dev", regions: [region] };
    const client = platform.client("deployer");
    const { deployment_id } = await client.call(createDeployment, { body: body as never, idempotencyKey: sha });
    if (deployment_id === null) throw new Error("not accepted");
    deployed.push(deployment_id);
    return deployment_id;
  }

  const firstBuild = () => builds[0] ?? "";
  async function logOf(id: string): Promise<string> {
    const headers = { authorization: `Bearer ${platform.tokens.viewer}` };
    return await (await fetch(`${platform.urlOf("build-service")}/api/v1/builds/${id}/logs`, { headers })).text();
  }

  const viewOf = (id: DeploymentId) => platform.client("viewer").call(getDeployment, { params: { id } });

  async function areEnded({ sha, build, deployment }: UnderWay): Promise<void> {
    expect(await endOf(platform, build)).toMatchObject({ status: "SUCCEEDED", git_sha: sha });
    built = sha;
    if (deployment === undefined) return;
    let last: DeploymentView | undefined;
    const isOver = async () => {
      last = await viewOf(deployment);
      return /SUCCEEDED|FAILED|ROLLED_BACK|CANCELLED|SUPERSEDED/.test(last.status);
    };
    await until(isOver, { what: `the end of ${deployment}`, timeoutMs }).catch((cause: unknown) => {
      throw new Error(JSON.stringify(last), { cause });
    });
    expect(last).toMatchObject({ status: "SUCCEEDED" });
  }

  /** Of one version in both places, and each bakes for ten minutes. */
  async function atFivePercent(): Promise<AtFivePercent> {
    const [staging, prod] = await Promise.all(
      places.map((at) => canaries.begin(tried.sha, at, requests.get(at) as SteadyRequests)),
    );
    return { staging, prod } as AtFivePercent;
  }

  async function areTakenBack({ staging, prod }: AtFivePercent): Promise<void> {
    const { deployment_id: id } = staging;
    requests.get("prod")?.turnBad(tried.answer);
    await platform.client("deployer").call(rollbackDeployment, { params: { id }, body: { reason: "not today" } });

    const [failed, aborted] = await Promise.all([
      canaries.expectTakenBack(prod, requests.get("prod") as SteadyRequests),
      canaries.expectTakenBack(staging, requests.get("staging") as SteadyRequests),
    ]);
    requests.get("prod")?.turnBad(undefined);
    expect(failed.gates.at(-1)).toMatchObject({ verdict: "FAIL", weight_percent: 5 });
    expect(aborted.reason).toContain("not today");
    for (const { deployment_id, gates } of [failed, aborted]) {
      const told = await canaries.told(deployment_id);
      expect([told["watch.failed"], told["watch.shut_confirmed"]]).toEqual(
        gates.length > 0 ? [1, 1] : [undefined, undefined],
      );
    }
  }

  /** Subjects of which it was told, each as often as an event of its own says it. */
  async function toldOnce(topic: string, type: string): Promise<readonly string[]> {
    const bus = postgresBus({ url: platform.database.url("bus"), log: silentLogger });
    try {
      const { events } = await bus.read(topic, 0, 500);
      const own = new Map(events.filter((event) => event.type === type).map((event) => [event.id, event.subject]));
      return [...own.values()].sort();
    } finally {
      await bus.close();
    }
  }

  /** Machines that wait for something that is due. */
  async function leftOver(schema: string): Promise<readonly unknown[]> {
    const db = platform.database.db<never>(schema);
    const due = () =>
      sql`select kind, id, payload->>'type' as type, last_reason from command where not timer`.execute(db);
    await until(async () => (await due()).rows.length === 0, { what: "nothing to be left" }).catch(() => undefined);
    return (await due()).rows;
  }
});
