import { type Bus, postgresBus } from "@slipway/bus";
import { memoryCache } from "@slipway/cache";
import type { Client } from "@slipway/client";
import type { Regions } from "@slipway/cluster";
import { createDurable, type Durable, type DurableMachine, type PendingCommand } from "@slipway/durable";
import type { RegionEntry } from "@slipway/host";
import { systemClock, type VersionName } from "@slipway/kernel";
import { postgresLocks } from "@slipway/lock";
import { type Db, silentLogger } from "@slipway/sql";
import { doublingBus, type SeededRandom, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { newDeployment } from "../../src/accept.ts";
import { auditOnce } from "../../src/audit-once.ts";
import { behindRegions } from "../../src/behind.ts";
import type { Command } from "../../src/domain/command.ts";
import type { Deployment, Phase, Plan } from "../../src/domain/deployment.ts";
import type { Input } from "../../src/domain/input.ts";
import { firstCommands } from "../../src/domain/phases/opening.ts";
import { deploymentDurable, type Ports } from "../../src/effects.ts";
import { keptViews } from "../../src/kept-views.ts";
import { neighbours } from "../../src/neighbours.ts";
import { TrafficObserver } from "../../src/observer.ts";
import type { Service } from "../../src/service.ts";
import { insertDeployment, nextDeploymentId, type Tables } from "../../src/store.ts";
import { subscriptions } from "../../src/subscriptions.ts";
import { oldVersion, regionsOf, samplePlan } from "./sample.ts";
import { ScriptedCluster, type SeenRegion } from "./scripted-cluster.ts";
import { ScriptedMesh } from "./scripted-mesh.ts";
import { ScriptedPublication } from "./scripted-publication.ts";
import { ScriptedWatch, type Watched } from "./scripted-watch.ts";
import { testSecrets } from "./secrets.ts";

type Audited = { readonly actor: string; readonly subject: string; readonly detail: Record<string, unknown> };
type Machine = DurableMachine<Deployment, Input, Command>;

/** The orchestrator's real machine, effects, subscription, locks and bus on a real database; the watch is scripted, and so are regions where a place brings no others. */
export type Orchestrator<Cluster extends SeenRegion = ScriptedCluster> = {
  readonly service: Service;
  readonly db: Db<Tables>;
  /** Of its schema, for another process beside it. */
  readonly url: string;
  readonly clusters: readonly Cluster[];
  readonly watch: ScriptedWatch;
  readonly images: ScriptedPublication;
  readonly locks: Ports["locks"];
  readonly bus: Bus;
  cluster(region: string): Cluster;
  mesh(region: string): ScriptedMesh;
  /** `awaitImage`: its image may not be there yet. */
  deploy(change?: Partial<Plan>, awaitImage?: boolean): Promise<string>;
  send(id: string, input: (now: Input["now"]) => Input): Promise<unknown>;
  state(id: string): Promise<Deployment>;
  /** Its commands that wait or are being performed. */
  pending(id: string): Promise<readonly PendingCommand<Command>[]>;
  reaches(id: string, ...phases: readonly Phase[]): Promise<Deployment>;
  /** Stops the worker that performs commands and puts another in its place. */
  replaceWorker(): Promise<void>;
  /** From now on an effect may be done and its outcome lost, as by a crash between the two. */
  crashAfterEffects(random: SeededRandom, share: number): void;
  /** Begins to look for changes by hand; it is done from the start. */
  observe(): void;
  stopObserving(): Promise<void>;
  audited(action: string): Promise<readonly Audited[]>;
  lockIsFree(): Promise<void>;
  close(): Promise<void>;
};

const fast = { settleMs: 20, verifyAfterMs: 300_000 };
const quick = (weightPercent: number) => ({ weightPercent, bakeMs: 30 });

/** What outlives an orchestrator: its database, and the regions. */
export type Place<Cluster extends SeenRegion = ScriptedCluster> = {
  readonly database: TestDatabase;
  readonly clusters: readonly Cluster[];
  /** Watches that were armed before. */
  readonly armed?: readonly Watched[];
  /** How the rollback-controller is reached; by default as if it were here. */
  reach?(watch: Client): Promise<Client>;
};

/** `names`: a letter for each region. */
export async function openPlace(names = "ab"): Promise<Place> {
  const database = await testDatabase(["deployment", "bus"]);
  return { database, clusters: regionsOf(names).map((region) => new ScriptedCluster(region, oldVersion)) };
}

/** At a place that outlives it, or at one of its own. */
export async function startOrchestrator(): Promise<Orchestrator>;
export async function startOrchestrator<Cluster extends SeenRegion>(
  place: Place<Cluster>,
): Promise<Orchestrator<Cluster>>;
export async function startOrchestrator(place?: Place<SeenRegion>): Promise<Orchestrator<SeenRegion>> {
  const { database, clusters, armed } = place ?? (await openPlace());
  const db = database.db<Tables>("deployment");
  const bus = doublingBus(postgresBus({ url: database.url("bus"), log: silentLogger }));
  const watch = new ScriptedWatch(clusters, bus, armed);
  const watchClient = (await place?.reach?.(watch.client)) ?? watch.client;
  const images = new ScriptedPublication(watchClient);
  const locks = postgresLocks({ db, log: silentLogger });
  const cluster = (name: string) => {
    const found = clusters.find(({ region }) => region === name);
    if (found === undefined) throw new Error(`no region ${name}`);
    return found;
  };
  const meshes = new Map(clusters.map((own) => [own.region as string, new ScriptedMesh(own)]));
  const mesh = (name: string) => meshes.get(name) as ScriptedMesh;
  const regions = {
    names: clusters.map(({ region }) => region),
    cluster: async (name: string) => cluster(name).client,
  } as unknown as Regions<RegionEntry>;
  const send = async (id: string, input: (now: Input["now"]) => Input) => durable.send(machine, id, input);
  const secrets = await testSecrets(db);
  const behind = behindRegions({ db, locks });
  const ports: Ports = {
    ...{ regions, locks, bus, client: images.client, clock: systemClock, behind, audit: auditOnce(db) },
    metrics: (region) => mesh(region).source,
    secrets,
    send: async (id, input) => void (await send(id, input)),
    ...neighbours(db),
  };
  const { machine, crash } = crashing(deploymentDurable(ports));
  // Nothing ends by itself: a change that nobody forgets would stay hidden.
  const views = keptViews(memoryCache({ keepMs: 3_600_000 }));
  const create = () =>
    createDurable({
      ...{ db, url: database.url("deployment"), machines: [machine], log: silentLogger },
      onCommit: views.onCommit,
    });
  let durable: Durable = create();
  const service: Service = {
    ...{ db, secrets, locks, machine, regions, behind, views, bus, client: watchClient, clock: systemClock },
    ...{ durable: delegating(() => durable), environments: [], settleMs: fast.settleMs },
  };
  let observer: TrafficObserver;
  const behindAtStart = () => new TrafficObserver({ service, ports, log: silentLogger, everyMs: 500 }).compareAtStart();
  const observe = () => {
    observer = new TrafficObserver({ service, ports, log: silentLogger, everyMs: 500 });
    observer.start();
  };
  await behindAtStart();
  await durable.start();
  observe();
  for (const subscription of subscriptions(service)) await bus.subscribe(subscription);

  const state = async (id: string) => {
    const row = await durable.read(machine, id);
    if (row === undefined) throw new Error(`no ${id}`);
    return row.state;
  };
  return {
    ...{
      service,
      db,
      url: database.url("deployment"),
      clusters,
      watch,
      images,
      locks,
      bus,
      cluster,
      mesh,
      send,
      state,
    },
    pending: (id) => durable.pending(machine, id),
    async deploy(change = {}, awaitImage = false) {
      const { id, number } = await nextDeploymentId(db);
      const version = versionOf(number);
      const baselines = Object.fromEntries(clusters.map(({ region, live }) => [region, live]));
      const steps = [quick(5), quick(25), quick(100)];
      const drawn = { regions: [...regions.names], baselines, steps, id, version, createdAt: systemClock.now() };
      const accepted = newDeployment(samplePlan({ ...fast, ...drawn, ...change }));
      await db.transaction().execute((tx) => insertDeployment(tx, number, accepted.plan, undefined));
      await durable.create(undefined, machine, id, accepted, firstCommands(accepted, awaitImage));
      return id;
    },
    reaches: (id, ...phases) =>
      until(async () => ((found) => (phases.includes(found.phase) ? found : undefined))(await state(id)), {
        what: `${id} to be ${phases.join(" or ")}`,
        timeoutMs: 150_000,
      }),
    async replaceWorker() {
      const former = durable;
      durable = create();
      await Promise.all([durable.start(), former.stop()]);
    },
    crashAfterEffects: crash,
    observe,
    stopObserving: () => observer.stop(),
    async audited(action) {
      const rows = await sql<Audited>`
        select actor, subject, detail from audit where action = ${action} order by seq`.execute(db);
      return rows.rows;
    },
    async lockIsFree() {
      const targets = regionsOf("ab").map((region) => ({ service: "orders", environment: "prod", region }));
      await until(async () => (await locks.holders(targets as never)).every(({ holder }) => holder === null), {
        what: "the lock to be free",
      });
    },
    async close() {
      watch.close();
      await observer.stop();
      await durable.stop();
      await bus.close();
      if (place === undefined) await database.close();
    },
  };
}

/** What routes and subscriptions use of durable, at whichever worker is there. */
function delegating(present: () => Durable): Durable {
  return {
    create: ((...args: Parameters<Durable["create"]>) => present().create(...args)) as Durable["create"],
    send: ((...args: Parameters<Durable["send"]>) => present().send(...args)) as Durable["send"],
    pending: ((...args: Parameters<Durable["pending"]>) => present().pending(...args)) as Durable["pending"],
    read: ((...args: Parameters<Durable["read"]>) => present().read(...args)) as Durable["read"],
  } as Durable;
}

/** The same machine, whose outcomes get lost now and then after the effect was carried out. */
function crashing(real: Machine): { machine: Machine; crash(random: SeededRandom, share: number): void } {
  let lost = () => false;
  const machine: Machine = {
    ...real,
    async perform(command, ctx) {
      const outcome = await real.perform(command, ctx);
      if (outcome.kind !== "retry" && lost()) return { kind: "retry", afterMs: 1, reason: "the outcome was lost" };
      return outcome;
    },
  };
  return {
    machine,
    crash(random, share) {
      lost = () => random.next() < share;
    },
  };
}

/** The version that the so-manieth deployment brings. */
export function versionOf(number: number): VersionName {
  return `orders-000000${number}-bbbbb` as VersionName;
}

/** Weights that the version had, in order. */
export function weightsOf({ done }: ScriptedCluster, version: string): readonly number[] {
  return done.flatMap((entry) => (entry.startsWith(`raise ${version} `) ? [Number(entry.split(" ")[2])] : []));
}
