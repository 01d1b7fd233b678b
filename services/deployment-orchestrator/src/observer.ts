import { type RegionCluster, RegionUnavailable, type Subscription, type WatchedTraffic } from "@slipway/cluster";
import { getWatch } from "@slipway/contracts";
import type { DeploymentId, Instant, RegionName } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import { approvedIn } from "./domain/approved.ts";
import type { Deployment, Drift } from "./domain/deployment.ts";
import { driftOf, isSameDrift } from "./domain/drift.ts";
import type { Fact } from "./domain/input.ts";
import { pause } from "./effects/pause.ts";
import type { Ports } from "./effects.ts";
import { lookAtEnded } from "./ended-look.ts";
import type { Service } from "./service.ts";
import { activeDeployments, lastEnded } from "./store.ts";

export type ObserverOptions = {
  readonly service: Pick<Service, "db" | "durable" | "machine" | "regions" | "client" | "locks" | "clock">;
  readonly ports: Pick<Ports, "behind" | "bus" | "clock" | "audit">;
  readonly log: Logger;
  /** Between two readings of everything. */
  readonly everyMs: number;
};

/** A gate that is shut is the rollback-controller's work, which tells why: only after this long it is taken for somebody else's. */
const shutPatienceMs = 10_000;
const startPatienceMs = 2_000;
/** A rollback-controller that does not answer holds up the look at the others no longer than this. */
const watchWithinMs = 2_000;
/** Nearly all changes are our own, and made while others of them are on their way: a look after each would hold those up. */
const hintPauseMs = 200;

/**
 * Watches the regions for what somebody changes by hand. Reading them again and again is the truth; a watch on each service under way only
 * makes it quick. Holds nothing that must survive: what it finds becomes facts of the deployments.
 */
export class TrafficObserver {
  readonly #options: ObserverOptions;
  readonly #stopping = new AbortController();
  readonly #hints = new Map<string, Subscription>();
  readonly #shutSince = new Map<string, number>();
  #running: Promise<void> = Promise.resolve();

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** Before anything is performed: whether the regions know newer grants. One that does not answer in time is compared later. */
  async compareAtStart(): Promise<void> {
    const compared = this.#options.service.regions.names.map((region) =>
      this.#compare(region).catch((err: unknown) => this.#options.log.warn({ err, region }, "region not compared yet")),
    );
    await Promise.race([Promise.all(compared), pause(startPatienceMs, this.#stopping.signal)]);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await Promise.all([...this.#hints.values()].map((hint) => hint.stop()));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.round().catch((err: unknown) => this.#options.log.warn({ err }, "regions could not be compared"));
      await pause(this.#options.everyMs, signal);
    }
  }

  /** Reads every region once; one that does not answer holds up itself alone. */
  async round(): Promise<void> {
    const { service } = this.#options;
    const active = await activeDeployments(service.db);
    const ended = await lastEnded(service.db);
    await this.#hint(active);
    await Promise.all(
      service.regions.names.map((region) =>
        this.#readRegion(region, active, ended).catch((err: unknown) => {
          this.#options.log.debug({ err, region }, "region not compared");
        }),
      ),
    );
  }

  async #readRegion(region: RegionName, active: readonly Deployment[], ended: readonly Deployment[]): Promise<void> {
    await this.#compare(region);
    for (const { plan } of active) if (plan.regions.includes(region)) await this.look(plan.id, region);
    for (const state of ended) if (state.plan.regions.includes(region)) await lookAtEnded(this.#options, state, region);
  }

  async #compare(region: RegionName): Promise<void> {
    const cluster = await this.#options.service.regions.cluster(region);
    await this.#options.ports.behind.note(region, await cluster.listFences(), true);
  }

  /** One deployment in one region. What changed while it was read is looked at in the next round. */
  async look(id: DeploymentId, region: RegionName): Promise<void> {
    const { service } = this.#options;
    const before = await service.durable.read(service.machine, id);
    if (before === undefined || approvedIn(before.state, region) === null) return;
    const cluster = await service.regions.cluster(region);
    const traffic = await cluster.readTraffic(before.state.plan);
    const row = await service.durable.read(service.machine, id);
    if (row === undefined || row.version !== before.version) return;
    const drift = driftOf(row.state, region, traffic);
    const known = row.state.regions[region]?.drift;
    const epoch = approvedIn(row.state, region)?.epoch ?? 0;
    if (drift?.kind !== "shut") this.#shutSince.delete(`${id}/${region}`);
    if (drift === null) {
      const percent = traffic.weights[row.state.plan.version] ?? 0;
      if (known != null) await this.#send(id, (now) => ({ type: "DriftGone", region, epoch, percent, now }));
    } else if (!isSameDrift(known, drift)) {
      if (drift.kind === "shut" && !(await this.#isForeign(id, region))) return;
      await this.#tell(id, region, epoch, drift);
    }
  }

  async #tell(id: DeploymentId, region: RegionName, epoch: number, drift: Drift): Promise<void> {
    this.#options.log.warn({ deployment: id, region, drift }, "changed by hand");
    await this.#send(id, (now) => ({ type: "DriftSeen", region, epoch, drift, now }));
  }

  /** Whether nobody of ours shut it. The judgement of one who did is brought along, in case its event is late. */
  async #isForeign(id: DeploymentId, region: RegionName): Promise<boolean> {
    const asked = { params: { id }, timeoutMs: watchWithinMs };
    const watch = await this.#options.service.client.call(getWatch, asked).catch(() => undefined);
    const { judgement = null, epochs = {} } = watch ?? {};
    if (watch?.state === "failed" && judgement !== null) {
      await this.#send(id, (now) => ({ type: "WatchFailed", judgement, epochs, overtaken: false, now }));
      return false;
    }
    const now = this.#options.service.clock.monotonicMs();
    const key = `${id}/${region}`;
    const since = this.#shutSince.get(key) ?? now;
    this.#shutSince.set(key, since);
    return now - since >= shutPatienceMs;
  }

  async #send(id: DeploymentId, fact: (now: Instant) => Fact): Promise<void> {
    const { durable, machine } = this.#options.service;
    await durable.send(machine, id, fact);
  }

  /** One subscription for each deployment under way and region. What it says is not used, but that something changed. */
  async #hint(active: readonly Deployment[]): Promise<void> {
    const wanted = new Map<string, { plan: Deployment["plan"]; region: RegionName }>(
      active.flatMap(({ plan }) => plan.regions.map((region) => [`${plan.id}/${region}`, { plan, region }] as const)),
    );
    for (const [key, hint] of this.#hints) {
      if (wanted.has(key)) continue;
      this.#hints.delete(key);
      this.#shutSince.delete(key);
      void hint.stop();
    }
    for (const [key, { plan, region }] of wanted) {
      if (this.#hints.has(key)) continue;
      const cluster = await this.#options.service.regions.cluster(region).catch(() => undefined);
      if (cluster === undefined) continue;
      this.#hints.set(key, this.#lookAfterChanges(cluster, plan, region));
    }
  }

  /**
   * One look, a moment after the first of several changes: it sees them all, or is hinted at again. What others keep in the same
   * object, e.g. an annotation that a tool renews all the time, is none: looks after each would have the database and the region busy.
   */
  #lookAfterChanges(cluster: RegionCluster, plan: Deployment["plan"], region: RegionName): Subscription {
    let timer: NodeJS.Timeout | undefined;
    let told = "";
    const look = () => {
      timer = undefined;
      this.look(plan.id, region).catch((err: unknown) => this.#unread(err, region));
    };
    const watch = cluster.watchTraffic(plan, (traffic) => {
      const now = whatMatters(traffic);
      if (now === told) return;
      told = now;
      timer ??= setTimeout(look, hintPauseMs);
    });
    return {
      stop: () => {
        clearTimeout(timer);
        return watch.stop();
      },
    };
  }

  #unread(err: unknown, region: RegionName): void {
    if (!(err instanceof RegionUnavailable)) this.#options.log.warn({ err, region }, "a change could not be read");
  }
}

/** As text, so that two are quickly compared: all of an object's routes but who wrote it last, and when. */
function whatMatters({ resourceVersion: _, writtenBy: __, ...own }: WatchedTraffic): string {
  return JSON.stringify(own);
}
