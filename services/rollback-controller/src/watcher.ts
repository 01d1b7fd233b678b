import type { RegionCluster } from "@slipway/cluster";
import type { Judgement, WatchRequest, WatchView } from "@slipway/contracts";
import { noCounts } from "@slipway/contracts";
import { holdsRamp, type Look } from "@slipway/judge";
import { type Clock, type DeploymentId, type Instant, msBetween } from "@slipway/kernel";
import { diffReadings, type MetricsSource, type Reading } from "@slipway/metrics";
import type { Logger } from "@slipway/sql";
import { addLook, judgementOf, type Looking, moveTo, startLooking } from "./domain/looking.ts";
import { compareEpochs, shutCommands } from "./domain/watch.ts";
import type { News } from "./news.ts";
import { Rest } from "./rest.ts";
import { samplesOf, versionsOf } from "./sample.ts";
import { shutRegion } from "./shut-region.ts";
import { type StoredLook, UnstoredLooks } from "./unstored-looks.ts";

/** What a watcher needs of the world, and whom it tells. All that it tells is stored by others; it never waits for them to act. */
export type WatcherPorts = {
  metrics(region: string): MetricsSource;
  cluster(region: string): Promise<RegionCluster>;
  readonly clock: Clock;
  readonly log: Logger;
  tell(id: DeploymentId, news: News): void;
};

type Seen = {
  readonly lookedAt: Instant | null;
  readonly served: WatchView["regions"][string]["served_weight"];
  readonly shutAt: Instant | null;
};

type RegionMemory = { -readonly [K in keyof Seen]: Seen[K] } & { reading: Reading | null };

export type Snapshot = {
  readonly looking: Looking;
  readonly readings: Readonly<Record<string, Reading | null>>;
  /** The grant under which this was seen; those of an earlier version lack it. */
  readonly epochs?: WatchRequest["epochs"] | undefined;
  /** What it would answer to whoever asks another process, by its own clock; snapshots of an earlier version lack it. */
  readonly seen?: { readonly at: Instant; readonly regions: Readonly<Record<string, Seen>> } | undefined;
};

const shutPauseMs = 100;
const missingAfterMs = 30_000;

/**
 * One watch at work: it reads, judges and, on FAIL, takes the version out of traffic itself. Everything it needs is in memory, so that it goes on
 * with database, bus and orchestrator away.
 */
export class Watcher {
  readonly id: DeploymentId;
  spec: WatchRequest;
  state: "watching" | "failed" | "ended" = "watching";
  judgement: Judgement | null = null;
  looking: Looking;
  readonly #ports: WatcherPorts;
  readonly #regions = new Map<string, RegionMemory>();
  readonly #shutting = new Set<readonly [region: string, since: Instant]>();
  readonly #armedAt: Instant;
  readonly #looks = new UnstoredLooks();
  #looking: Promise<void> = Promise.resolve();
  #waiting = 0;
  #toldMissing = false;
  #unsaved = true;
  readonly #rest = new Rest();

  constructor(id: DeploymentId, spec: WatchRequest, ports: WatcherPorts, snapshot?: Snapshot) {
    this.id = id;
    this.spec = spec;
    this.#ports = ports;
    this.#armedAt = ports.clock.now();
    // A watch is moved in its row first, and its snapshot follows seconds later: a process killed in between left one of the step, the window
    // or the grant before. It is moved again here, since nobody will ask a second time.
    this.looking = snapshot === undefined ? startLooking(spec, this.#armedAt) : movedTo(spec, snapshot, this.#armedAt);
    for (const region of Object.keys(spec.epochs)) this.#memory(region).reading = snapshot?.readings[region] ?? null;
  }

  /** Moves the watch to another step or grant. Under a new grant it starts afresh. */
  move(spec: WatchRequest): void {
    const { epochs } = this.spec;
    const before = this.looking;
    this.spec = spec;
    this.#unsaved = true;
    this.#rest.end();
    this.#looks.hurry();
    this.looking = movedTo(spec, { looking: before, epochs }, this.#ports.clock.now());
    if (this.looking !== before) this.judgement = null;
    if (!isNewGrant(spec, epochs)) return;
    this.state = "watching";
    for (const memory of this.#regions.values()) memory.shutAt = null;
  }

  /** The watch of a verified version has lasted as long as it should. */
  isOver(now: Instant): boolean {
    const { mode, until } = this.spec;
    return mode === "verified" && until !== undefined && until <= now && this.state === "watching";
  }

  /** True while a look is under way. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  /** Whether to look at this tick: a version at 100% to which nothing comes rests between looks, and no longer from its first request on. */
  wantsLook(): boolean {
    return !this.#rest.skips(this.spec.mode !== "canary") && !this.busy;
  }

  /** Looks once more, after the look that is under way: two readings of the same counters must never overtake each other. */
  look(): Promise<void> {
    this.#waiting += 1;
    this.#looking = this.#looking
      .then(() => this.#lookOnce())
      .catch((error: unknown) => this.#ports.log.error({ err: error, watch: this.id }, "a look could not be judged"))
      .finally(() => {
        this.#waiting -= 1;
      });
    return this.#looking;
  }

  /** A region that cannot be read brings nothing to this look, and zeros to none. */
  async #lookOnce(): Promise<void> {
    if (this.state === "ended") return;
    const seen = await Promise.all(Object.keys(this.spec.epochs).map((region) => this.#lookAt(region)));
    const regions = Object.fromEntries(seen.filter((entry) => entry !== undefined));
    const now = this.#ports.clock.now();
    if (Object.keys(regions).length > 0) {
      this.looking = addLook(this.looking, { regions }, now);
      this.#looks.add({ at: now, look: { regions } }, isFull(this.spec));
      this.#rest.seen({ regions });
    }
    this.#unsaved = true;
    if (this.state === "watching") this.#judge(now);
    this.#noticeMissing(now);
  }

  async #lookAt(region: string): Promise<[string, Look["regions"][string]] | undefined> {
    const memory = this.#memory(region);
    const { environment, service, version } = this.spec;
    try {
      const reading = await this.#ports
        .metrics(region)
        .read({ environment, service, versions: versionsOf(this.spec, region) });
      const now = this.#ports.clock.now();
      const percent = reading.servedWeight?.[version];
      memory.served = percent === undefined ? null : { percent, source: "gauge", at: now };
      memory.lookedAt = now;
      const before = memory.reading;
      memory.reading = reading;
      // The first reading of a region is where counting begins: what was before it belongs to nobody's canary.
      return before === null
        ? undefined
        : [region, samplesOf(diffReadings(before, reading), version, this.spec.baselines[region])];
    } catch (error) {
      this.#ports.log.debug({ err: error, watch: this.id, region }, "metrics could not be read");
      return undefined;
    }
  }

  #judge(now: Instant): void {
    const judgement = judgementOf(this.looking, this.spec, now);
    const before = this.judgement;
    this.judgement = judgement;
    if (judgement.verdict === "FAIL") {
      this.fail(judgement);
      return;
    }
    const news =
      before?.verdict !== judgement.verdict ||
      before.step !== judgement.step ||
      before.window_from !== judgement.window_from;
    // The ramp holds and goes on by it: crossing it is news, whatever the verdict.
    if (news || holdsRamp(before?.evidence) !== holdsRamp(judgement.evidence)) this.#tellJudged(judgement);
  }

  #tellJudged(judgement: Judgement): void {
    this.#looks.hurry();
    this.#ports.tell(this.id, { type: "Judged", judgement });
  }

  /** Shuts first, tells then: the traffic comes before everything else. `by`: the person who wants it. */
  fail(judgement: Judgement, by?: { readonly name: string; readonly reason: string }): void {
    this.state = "failed";
    this.judgement = judgement;
    for (const { region, epoch } of shutCommands(this.spec)) void this.#shut(region, epoch);
    const { epochs } = this.spec;
    const news: News = { type: "Failed", judgement, firstErrorAt: this.looking.firstErrorAt, epochs };
    this.#ports.tell(this.id, by === undefined ? news : { ...news, by: { ...by } });
  }

  /** After a restart: it was told, and is shut wherever that was not confirmed; the process before may have been killed in the middle of it. */
  resumeFailed(judgement: Judgement, confirmed: Readonly<Record<string, unknown>>): void {
    this.state = "failed";
    this.judgement = judgement;
    for (const { region, epoch } of shutCommands(this.spec))
      if (confirmed[region] === undefined) void this.#shut(region, epoch);
  }

  async #shut(region: string, epoch: number): Promise<void> {
    const attempt = [region, this.#ports.clock.now()] as const;
    this.#shutting.add(attempt);
    await this.#shutUntilRead(region, epoch);
    this.#shutting.delete(attempt);
  }

  /** Regions in which it tries to take the version out of traffic, each with since when. */
  shutting(): Iterable<readonly [string, Instant]> {
    return this.#shutting;
  }

  /** Again and again until it reads that the gate is shut and the version has no weight, or that a newer grant has taken over. */
  async #shutUntilRead(region: string, epoch: number): Promise<void> {
    for (
      let pauseMs = shutPauseMs;
      this.state === "failed" && this.spec.epochs[region] === epoch;
      pauseMs = Math.min(pauseMs * 2, 5_000)
    ) {
      try {
        const done = await shutRegion(await this.#ports.cluster(region), this.id, this.spec, region);
        if (done.kind === "shut") {
          const at = this.#ports.clock.now();
          this.#memory(region).shutAt = at;
          this.#ports.tell(this.id, { type: "ShutConfirmed", region, epoch, seq: done.seq, at });
        }
        return;
      } catch (error) {
        this.#ports.log.warn({ err: error, watch: this.id, region }, "could not shut the fence; trying again");
        await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
      }
    }
  }

  /** When each region was last read; one that never was, since when it should be. */
  lastSeen(): readonly (readonly [string, Instant])[] {
    return Object.keys(this.spec.epochs).map((region) => [region, this.#memory(region).lookedAt ?? this.#armedAt]);
  }

  #noticeMissing(now: Instant): void {
    const silent = this.lastSeen().filter(([, since]) => msBetween(since, now) > missingAfterMs);
    if (silent.length > 0 && !this.#toldMissing) {
      const since = silent.map(([, at]) => at).sort()[0] as Instant;
      this.#ports.tell(this.id, { type: "MetricsMissing", since, regions: silent.map(([region]) => region) });
    }
    this.#toldMissing = silent.length > 0;
  }

  /** When every region was last read; null until each has been. */
  get lastLookAt(): Instant | null {
    const times = Object.keys(this.spec.epochs).map((region) => this.#memory(region).lookedAt);
    return times.includes(null) ? null : ((times as Instant[]).sort()[0] ?? null);
  }

  snapshot(): Snapshot {
    return {
      looking: this.looking,
      epochs: this.spec.epochs,
      readings: Object.fromEntries([...this.#regions].map(([region, memory]) => [region, memory.reading])),
      seen: {
        at: this.#ports.clock.now(),
        regions: Object.fromEntries(
          [...this.#regions].map(([region, { lookedAt, served, shutAt }]) => [region, { lookedAt, served, shutAt }]),
        ),
      },
    };
  }

  /** Whether something was learned since the looks were taken last. */
  get unsaved(): boolean {
    return this.#unsaved;
  }

  /** Looks that are to be stored with the snapshot; the caller stores them, or gives them back. */
  takeLooks(): readonly StoredLook[] {
    this.#unsaved = false;
    return this.#looks.take(this.#ports.clock.now(), isFull(this.spec) && this.state === "watching");
  }

  giveBackLooks(looks: readonly StoredLook[]): void {
    this.#unsaved = true;
    this.#looks.giveBack(looks);
  }

  /** This process ends: nothing that it saw waits any more. */
  storeAll(): void {
    this.#unsaved = true;
    this.#looks.hurry();
  }

  view(): WatchView {
    const { service, environment, version, mode, step, epochs } = this.spec;
    const regions = Object.keys(epochs).map((region): [string, WatchView["regions"][string]] => {
      const { served, lookedAt, shutAt } = this.#memory(region);
      return [
        region,
        {
          counts: this.looking.totals[region] ?? noCounts,
          served_weight: served,
          last_look_at: lookedAt,
          shut_at: shutAt,
        },
      ];
    });
    return {
      deployment_id: this.id,
      service,
      environment,
      version,
      mode,
      state: this.state,
      step,
      epochs,
      judgement: this.judgement,
      regions: Object.fromEntries(regions),
      last_look_at: this.lastLookAt,
      as_of: this.#ports.clock.now(),
    };
  }

  #memory(region: string): RegionMemory {
    const known = this.#regions.get(region);
    if (known !== undefined) return known;
    const memory: RegionMemory = { reading: null, lookedAt: null, served: null, shutAt: null };
    this.#regions.set(region, memory);
    return memory;
  }
}

/** The version has all requests. */
function isFull({ mode }: WatchRequest): boolean {
  return mode === "live" || mode === "verified";
}

/** What was seen so far under a step, a window and a grant, for those of `spec`. Without `epochs`: of the same grant. */
function movedTo(spec: WatchRequest, { looking, epochs }: Pick<Snapshot, "looking" | "epochs">, now: Instant): Looking {
  return isNewGrant(spec, epochs ?? spec.epochs) ? startLooking(spec, now) : moveTo(looking, spec, now);
}

function isNewGrant({ epochs }: WatchRequest, before: WatchRequest["epochs"]): boolean {
  return compareEpochs(epochs, before) === "newer";
}
