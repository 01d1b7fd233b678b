import { ownerOf, type PlatformService } from "@slipway/client";
import * as contracts from "@slipway/contracts";
import { createDeployment, getDeployment, listArtifacts } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askedAllTheTime } from "./asked.ts";
import { canariesApart, patient, quick } from "./canaries-apart.contract.ts";
import { type OneRegion, oneRegion } from "./one-region.ts";
import { type PlatformApart, preparePlatform, type Replica, serviceNames } from "./platform-apart.ts";
import { endOf, isMoved, push, type Shop, shopRepository } from "./shop.ts";

const twice = ["deployment-orchestrator", "build-service"] as const;
/** What a reader asks of each. */
const listed: Readonly<Record<PlatformService, string>> = {
  "build-service": contracts.listBuilds.path,
  "artifact-registry": contracts.listArtifacts.path,
  "deployment-orchestrator": contracts.listDeployments.path,
  "rollback-controller": contracts.listWatches.path,
  "notification-service": contracts.listNotifications.path,
  "metrics-aggregator": contracts.getDora.path,
};
const schemas = { "deployment-orchestrator": "deployment", "build-service": "build" } as const;

export type Backends = {
  /** Of every service, beside its database. */
  readonly env: Readonly<Record<string, string>>;
  /** Of the artifact-registry and the build-service. */
  readonly objects: Readonly<Record<string, string>>;
  /** Passwords and keys in them. */
  readonly secrets: readonly string[];
  /** Of the objects, where it is a server of its own. */
  readonly store?: { kill(): Promise<void>; start(): Promise<void> };
  stop(): Promise<void>;
};

/**
 * Six services, two processes each of the orchestrator and the build-service, do the main job over these backends, and go on when one of them is killed. `store`: what
 * holds the objects can be killed; `production`: canaries there, of what was built meanwhile.
 */
export function servicesApart(
  startBackends: () => Promise<Backends>,
  { store = false, production = false } = {},
): void {
  let backends: Backends;
  let platform: PlatformApart;
  let region: OneRegion;
  let replicas: Replica[];
  let shop: Shop;
  let again: string;
  let own: Readonly<Record<PlatformService, Readonly<Record<string, string>>>>;

  beforeAll(async () => {
    backends = await startBackends();
    platform = await preparePlatform(backends.env);
    region = await oneRegion(platform.folder, {
      url: platform.urlOf("artifact-registry"),
      token: platform.tokens.viewer,
    });
    const withRegions = { SLIPWAY_REGIONS: region.file };
    own = {
      "build-service": { SLIPWAY_GIT_ALLOW_FILE: "true", SLIPWAY_MOVE_BUILD_LOGS: "1s", ...backends.objects },
      "artifact-registry": {
        SLIPWAY_REGISTRY_HOST: new URL(platform.urlOf("artifact-registry")).host,
        ...backends.objects,
      },
      "deployment-orchestrator": { ...withRegions, ...quick },
      "rollback-controller": withRegions,
      "notification-service": {},
      "metrics-aggregator": {},
    };
    replicas = await Promise.all([...serviceNames, ...twice].map((name) => platform.start(name, own[name])));
  });
  afterAll(async () => {
    await platform?.stop();
    await region?.stop();
    await backends?.stop();
  });

  const replicasOf = (name: string) => replicas.filter(({ service }) => service === name);

  test("each process becomes ready, says that it lives, and is measured", async () => {
    for (const { service, url, said } of replicas) {
      const look = async () => (await fetch(`${url}/readyz`)).text();
      // All of it, without a warning: a region that was slow to answer is looked at again.
      const well = JSON.stringify({ status: "ready", services: [{ service, ready: true }] });
      await until(async () => (await look()) === well, { what: `${service} ready` }).catch(async () => {
        throw new Error(`${service}: ${await look()}\n${said()}`);
      });
      expect((await fetch(`${url}/livez`)).status).toBe(200);
      expect(await (await fetch(`${url}/metrics`)).text()).toContain(`slipway_service_ready{service="${service}"} 1`);
    }
  });

  test("a push becomes a build, an image and an artifact, each in a process of its own", async () => {
    shop = await shopRepository(platform, patient);
    const id = await push(platform, shop);

    expect(await endOf(platform, id)).toMatchObject({ status: "SUCCEEDED" });
    // Its workspace is on one disk, and nobody else took a step of it.
    expect((await logOf(id)).match(/checked out; steps/g)).toHaveLength(1);
    const { artifacts } = await platform.client("viewer").call(listArtifacts, { query: { service: "shop" } });
    expect(artifacts).toMatchObject([{ git_sha: shop.sha, environments: [{ environment: "dev" }] }]);
  });

  test.runIf(store)(
    "the store is killed in mid-step: the log goes on, the build says what it waits for, and ends once the store is back",
    async () => {
      again = await shop.commit("hello again");
      const id = await push(platform, { ...shop, sha: again, branch: "store" });
      const isLogged = (line: string) =>
        until(async () => (await logOf(id)).includes(`slow | ${line}\n`), { what: line, timeoutMs: 120_000 });
      await isLogged("1");
      await backends.store?.kill();

      await isLogged("6");
      const view = () => platform.client("viewer").call(contracts.getBuild, { params: { id } });
      await until(async () => (await view()).waiting?.for.includes("SLIPWAY_OBJECTS_URL"), {
        ...{ what: "the build to say what it waits for", timeoutMs: 120_000 },
      });
      const [registry] = replicasOf("artifact-registry");
      const readiness = await fetch(`${registry?.url}/readyz`);
      expect([readiness.status, await readiness.text()]).toEqual([503, expect.stringMatching(/nothing listens at/)]);
      const during = await logOf(id);

      await backends.store?.start();
      expect(await endOf(platform, id)).toMatchObject({ status: "SUCCEEDED" });
      const whole = await logOf(id);
      expect(whole.startsWith(during)).toBe(true);
      expect(whole.match(/slow \| \d\n/g)).toEqual([1, 2, 3, 4, 5, 6].map((line) => `slow | ${line}\n`));
      await until(() => isMoved(platform, id), { what: "the log to be in the store" });
      expect(await logOf(id)).toBe(whole);
    },
  );

  test("the build-service that works is killed, and the other one begins the build again and ends it", async () => {
    const id = await push(platform, { ...shop, branch: "again" });
    const victim = await until(
      async () => ((await logOf(id)).includes("slow | $ node") ? await workingOn("build-service", id) : undefined),
      { what: `a process in the slow step of ${id}`, timeoutMs: 120_000 },
    );
    await victim.end("SIGKILL");
    replicas = replicas.filter((replica) => replica !== victim);

    const build = await until(async () => (await buildRow(id)).state, { what: `the end of ${id}`, timeoutMs: 120_000 });
    expect(build).toMatchObject({ phase: "succeeded", restarts: 1 });
  });

  test("the orchestrator that works is killed, and the other one brings the deployment to its end", async () => {
    const { deployment_id } = await platform.client("deployer").call(createDeployment, {
      body: { service: "shop", version: shop.sha, environment: "dev", regions: ["us-east-1"] },
      idempotencyKey: "first",
    });
    const id = String(deployment_id);
    const victim = await until(() => workingOn("deployment-orchestrator", id), {
      what: `a process that works on ${id}`,
    });
    await victim.end("SIGKILL");
    const survivor = replicasOf("deployment-orchestrator").find((replica) => replica !== victim) as Replica;

    const deployment = await until(
      async () => {
        const answer = await fetch(`${survivor.url}${getDeployment.path.replace(":id", id)}`, {
          headers: { authorization: `Bearer ${platform.tokens.viewer}` },
        });
        const view = (await answer.json()) as { status: string };
        return /SUCCEEDED|FAILED|ROLLED_BACK/.test(view.status) ? view : undefined;
      },
      { what: `the end of ${id}`, timeoutMs: 120_000 },
    );
    expect(deployment.status).toBe("SUCCEEDED");
    const page = await fetch(region.meshUrl, { headers: { host: "shop.dev.localhost" } });
    expect(page.status).toBeLessThan(500);
    replicas = replicas.filter((replica) => replica !== victim);
  });

  const inProduction = () =>
    canariesApart(() => ({
      ...{ platform, region, replicasOf, good: shop, bad: { sha: again, answer: "hello again" } },
      busUrl: backends.env.SLIPWAY_BUS_URL,
      workingOn: (id) => workingOn("deployment-orchestrator", id),
      async start(service, url) {
        const replica = await platform.start(service, own[service], url === undefined ? {} : { url });
        replicas.push(replica);
        return replica;
      },
      async kill(victim) {
        await victim.end("SIGKILL");
        replicas = replicas.filter((replica) => replica !== victim);
      },
    }));
  if (production) describe("in production", inProduction);

  test("told to stop while they are asked, each process answers, drains, gives back what it held, ends with 0, and has told nobody a secret", async () => {
    const secrets = [...(await platform.secrets()), ...backends.secrets, region.token];
    const pages = await Promise.all([
      ...replicas.flatMap(({ url }) => ["/readyz", "/metrics"].map((path) => pageOf(`${url}${path}`))),
      ...answered.map((path) => pageOf(`${urlOf(path)}${path}`)),
    ]);
    expect(pages.filter((page) => page.includes("shop")).length).toBeGreaterThan(4);
    const asked = replicas.map(({ service, url }) =>
      askedAllTheTime(`${url}${listed[service]}`, platform.tokens.viewer),
    );
    await until(() => asked.every(({ answers }) => answers.length > 20), { what: "each of them to be asked" });
    const ended = await Promise.all(replicas.map(async (replica) => [replica, await replica.end("SIGTERM")] as const));
    // Whoever asks it meanwhile is answered, and sent to another replica with the answer.
    for (const { answers, done } of asked) expect([await done, new Set(answers)]).toEqual(["sent on", new Set([200])]);

    for (const [{ service, said }, code] of ended) {
      expect([service, code]).toEqual([service, 0]);
      expect(said()).toContain('"msg":"host stopped"');
      // None of the credentials stands anywhere: not what people have, nor what services and their roles have.
      expect(
        secrets.filter((secret) => said().includes(secret) || pages.some((page) => page.includes(secret))),
      ).toEqual([]);
    }
    expect(secrets.length).toBeGreaterThan(15);
    for (const schema of ["deployment", "build"]) expect(await heldCommands(schema)).toEqual([]);
  });

  /** Every answer of the API that takes no parameter, the log of all events among them. */
  const answered = Object.values(contracts).flatMap((value) =>
    typeof value === "object" && value !== null && "method" in value && value.method === "GET" && "path" in value
      ? [String(value.path)].filter((path) => !path.includes(":"))
      : [],
  );

  const urlOf = (path: string) => {
    const owner = ownerOf(path);
    return replicas.find(({ service }) => service === owner)?.url ?? replicas[0]?.url;
  };

  async function pageOf(url: string): Promise<string> {
    return await (await fetch(url, { headers: { authorization: `Bearer ${platform.tokens.admin}` } })).text();
  }

  /** The process that has a command of this deployment or build in its hands. */
  async function workingOn(service: keyof typeof schemas, id: string): Promise<Replica | undefined> {
    const holders = await heldCommands(schemas[service], id);
    return replicasOf(service).find(({ pid }) => holders.some((holder) => holder.startsWith(`${pid}-`)));
  }

  /** A build in the database, once it has ended: the process that people reach may be the one that was killed. */
  async function buildRow(id: string): Promise<{ state?: Record<string, unknown> }> {
    const { rows } = await sql<{ state: Record<string, unknown> }>`
      select state from machine where id = ${id} and phase in ('succeeded', 'failed', 'cancelled')`.execute(
      platform.database.db<never>("build"),
    );
    return rows[0] ?? {};
  }

  async function logOf(id: string): Promise<string> {
    const headers = { authorization: `Bearer ${platform.tokens.viewer}` };
    const [replica] = replicasOf("build-service");
    return await (await fetch(`${replica?.url}/api/v1/builds/${id}/logs`, { headers })).text();
  }

  async function heldCommands(schema: string, id?: string): Promise<readonly string[]> {
    const db = platform.database.db<never>(schema);
    const { rows } = await sql<{ holder: string }>`
      select holder from command where holder is not null and leased_until > clock_timestamp()
        and (${id ?? null}::text is null or id = ${id ?? null})`.execute(db);
    return rows.map(({ holder }) => holder);
  }
}
