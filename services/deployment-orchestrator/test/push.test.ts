import { type Bus, postgresBus } from "@slipway/bus";
import { noCache } from "@slipway/cache";
import type { Client } from "@slipway/client";
import {
  type ArtifactView,
  buildTopic,
  listArtifacts,
  ProblemError,
  type PublicationView,
  SlipwayFile,
} from "@slipway/contracts";
import { createDurable, type Durable, defineMachine } from "@slipway/durable";
import { type EnvironmentName, type Instant, systemClock } from "@slipway/kernel";
import { postgresLocks } from "@slipway/lock";
import { silentLogger } from "@slipway/sql";
import { doublingBus, putScene, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { behindRegions } from "../src/behind.ts";
import type { Command } from "../src/domain/command.ts";
import { deploymentMachine } from "../src/domain/decide.ts";
import type { Deployment } from "../src/domain/deployment.ts";
import type { Input } from "../src/domain/input.ts";
import type { Push } from "../src/domain/push.ts";
import { keptViews } from "../src/kept-views.ts";
import { type PushMachine, pushDurable } from "../src/push/deploy-push.ts";
import { pushSubscription } from "../src/push/subscription.ts";
import type { Service } from "../src/service.ts";
import { listDeployments, type Tables, upsertService } from "../src/store.ts";
import { pushScenes } from "./support/released.ts";
import { regionsOf } from "./support/sample.ts";
import { ScriptedCluster } from "./support/scripted-cluster.ts";
import { testSecrets } from "./support/secrets.ts";

const digestOf = (build: number) => `sha256:${String(build).padStart(64, "0")}` as ArtifactView["digest"];
const other = "other" as SlipwayFile["service"];
const spec = SlipwayFile.parse({
  ...{ version: 1, service: "shop", pipeline: {} },
  image: { copy: ["."], command: ["node", "server.js"] },
});

/** Deployments are accepted here and stay as they are. */
const parked = defineMachine<Deployment, Input, Command>({
  machine: deploymentMachine,
  lane: () => "parked",
  perform: async () => ({ kind: "retry", afterMs: 60_000, reason: "not carried out in this test" }),
});

let database: TestDatabase;
let bus: Bus;
let region: ScriptedCluster;
let durable: Durable;
let machine: PushMachine;
let service: Service;
/** Digests that the registry knows nothing of. */
let unknown: readonly string[];
/** Where its images are published, and how that is doing. */
let publication: Pick<PublicationView, "image" | "status" | "seen_at"> | null;

const artifactOf = (digest: string): ArtifactView =>
  ({
    ...{ digest, service: "shop", git_sha: digest.slice(-40), image: `here/shop@${digest}`, spec, bad_in: [] },
    environments: [{ environment: "dev", at: systemClock.now(), by: "build-service" }],
    provenance: { isolation: "bubblewrap" },
    publication,
  }) as unknown as ArtifactView;

/** The artifact-registry as far as it is asked. */
const registry = {
  call: async (endpoint: object, { params }: { params: { digest: string } }) => {
    if (endpoint === listArtifacts) return { artifacts: [artifactOf(digestOf(99))] };
    if (unknown.includes(params.digest)) throw new ProblemError("artifact.not_found", "no such artifact");
    return artifactOf(params.digest);
  },
} as unknown as Client;

beforeEach(async () => {
  database = await testDatabase(["deployment", "bus"]);
  const db = database.db<Tables>("deployment");
  bus = doublingBus(postgresBus({ url: database.url("bus"), log: silentLogger }));
  region = new ScriptedCluster(regionsOf("a")[0] as ScriptedCluster["region"], null);
  unknown = [];
  publication = null;
  machine = pushDurable(() => service);
  await startWorker();
  const locks = postgresLocks({ db, log: silentLogger });
  service = {
    secrets: await testSecrets(db),
    ...{ locks, behind: behindRegions({ db, locks }) },
    ...{ db, bus, client: registry, clock: systemClock, settleMs: 0, machine: parked, views: keptViews(noCache) },
    durable: {
      create: ((...args: Parameters<Durable["create"]>) => durable.create(...args)) as Durable["create"],
      send: ((...args: Parameters<Durable["send"]>) => durable.send(...args)) as Durable["send"],
      read: ((...args: Parameters<Durable["read"]>) => durable.read(...args)) as Durable["read"],
    } as Durable,
    regions: { names: regionsOf("a"), cluster: async () => region.client } as unknown as Service["regions"],
    environments: [{ name: "dev" as EnvironmentName, production: false, minimumBakeMs: 0 }],
  };
  await upsertService(db, spec.service, { owner: "ada", deploysTo: "dev" });
  await bus.subscribe(pushSubscription(service, machine));
});
afterEach(async () => {
  await durable.stop();
  await bus.close();
  await database.close();
});

async function startWorker(): Promise<void> {
  const db = database.db<Tables>("deployment");
  durable = createDurable({ db, url: database.url("deployment"), machines: [machine, parked], log: silentLogger });
  await durable.start();
}

async function succeeded(build: number, change: { ref?: string; service?: string } = {}): Promise<void> {
  const about = { build_id: `B-${build}`, service: "shop", git_sha: "a".repeat(40), ref: "refs/heads/main" };
  const data = { ...about, digest: digestOf(build), ms: 1, ...change };
  const event = { specversion: "1.0", id: `build-${build}`, source: "build-service", type: "build.succeeded" } as const;
  const rest = { subject: `B-${build}`, time: systemClock.now(), datacontenttype: "application/json" } as const;
  await bus.publish(buildTopic.name, [{ ...event, ...rest, data }]);
}

const ended = (build: number): Promise<Push> =>
  until(
    async () => {
      const row = await durable.read(machine, `B-${build}`);
      return row === undefined || row.state.phase === "pending" ? undefined : row.state;
    },
    { what: `the end of push B-${build}`, timeoutMs: 60_000 },
  );

const deployments = () => listDeployments(service.db, {}, 100);

test("a build of the main branch is deployed in the owner's name, once however often its event arrives", async () => {
  await succeeded(1);
  await succeeded(1);
  await succeeded(2);

  expect(await ended(2)).toMatchObject({ phase: "deployed" });
  expect(await ended(1)).toMatchObject({ phase: expect.stringMatching(/deployed|superseded/) });
  const found = (await deployments()).map(({ state }) => state.plan);
  expect(found.filter(({ digest }) => digest === digestOf(2))).toMatchObject([
    { environment: "dev", initial: true, requestedBy: "ada" },
  ]);
  expect(new Set(found.map(({ digest }) => digest)).size).toBe(found.length);
});

test("a region that is away is waited for, over another worker, and the push says so meanwhile", async () => {
  region.away = true;
  await succeeded(1);
  const waiting = async () => (await durable.pending(machine, "B-1")).find(({ lastReason }) => lastReason !== null);
  const { lastReason } = await until(waiting, { what: "a reason to wait", timeoutMs: 60_000 });
  await durable.stop();
  await startWorker();
  region.away = false;

  expect(lastReason).toContain("does not say what serves shop there");
  expect(await ended(1)).toMatchObject({ phase: "deployed" });
  expect(await deployments()).toHaveLength(1);
});

test.each([
  ["is still being copied", "COPYING", null, ["AwaitImage", "AcquireLock", "Publish"]],
  ["was seen there long ago", "PUBLISHED", "2020-01-01T00:00:00Z" as Instant, ["AwaitImage", "AcquireLock", "Publish"]],
  ["is published", "PUBLISHED", systemClock.now(), ["AcquireLock", "Publish"]],
] as const)(
  "a build whose image %s is deployed from where it is published, and waits for it where it has to",
  async (_, status, seenAt, commands) => {
    publication = { image: `registry/shop@${digestOf(1)}`, status, seen_at: seenAt };
    await succeeded(1);
    await ended(1);

    const [{ state } = { state: undefined }] = await deployments();
    const pending = await durable.pending(parked, state?.plan.id ?? "");

    expect(state?.plan.workload.image).toBe(publication.image);
    expect(state?.plan).not.toHaveProperty("awaitImage");
    expect(pending.map(({ command }) => command.type)).toEqual(commands);
  },
);

test("what finds no way for ten minutes is given up, with what it waited for", async () => {
  region.away = true;
  await succeeded(1);
  const waiting = async () => (await durable.pending(machine, "B-1")).find(({ lastReason }) => lastReason !== null);
  await until(waiting, { what: "a reason to wait", timeoutMs: 60_000 });
  // Ten minutes later.
  await sql`update command set run_after = clock_timestamp() where payload->>'type' = 'GiveUp'`.execute(
    database.db<never>("deployment"),
  );

  expect(await ended(1)).toMatchObject({ phase: "given_up" });
});

test.each(pushScenes.map((scene) => [scene.version, scene.phase, scene] as const))(
  "a push that %s left %s comes to its end, or stays at it",
  async (_version, phase, scene) => {
    await putScene(database.adminUrl, "deployment", scene);

    const end = phase === "pending" ? "deployed" : phase;
    expect(await ended(Number(scene.id.slice(2)))).toMatchObject({ phase: end });
  },
);

test("what cannot be deployed is refused with its reason", async () => {
  unknown = [digestOf(1)];
  await succeeded(1);

  expect(await ended(1)).toMatchObject({ phase: "refused", reason: expect.stringContaining("No artifact of shop") });
});

test("a build that ends after a newer push is not brought back over it", async () => {
  await succeeded(7);
  await ended(7);
  await succeeded(6);

  expect(await ended(6)).toMatchObject({ phase: "superseded", newer: "B-7" });
  expect(await deployments()).toHaveLength(1);
});

test("other branches, and services that deploy nothing by themselves, become no push", async () => {
  await upsertService(service.db, other, { owner: "ada", deploysTo: null });
  await succeeded(1, { ref: "refs/heads/trial" });
  await succeeded(2, { service: other });
  await succeeded(3);
  await ended(3);

  expect((await durable.list(machine)).map(({ id }) => id)).toEqual(["B-3"]);
});
