import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresBus } from "@slipway/bus";
import type { RegionCluster } from "@slipway/cluster";
import { createDurable } from "@slipway/durable";
import { systemClock } from "@slipway/kernel";
import type { MetricsSource } from "@slipway/metrics";
import { silentLogger } from "@slipway/sql";
import { testDatabase } from "@slipway/testkit";
import { watchDurable } from "../../src/effects.ts";
import { type Journal, openJournal } from "../../src/journal.ts";
import { Keeper } from "../../src/keeper.ts";
import { type KeeperRows, keeperRows } from "../../src/keeper-rows.ts";
import { NewsQueue } from "../../src/news-queue.ts";
import { putBackToWork, reconcile } from "../../src/recovery.ts";
import type { Service } from "../../src/service.ts";
import { saveWatcher, type Tables } from "../../src/store.ts";
import { storeNews } from "../../src/store-news.ts";
import { storedWatches } from "../../src/stored-watches.ts";
import { endWatch } from "../../src/subscriptions.ts";
import type { WatcherPorts } from "../../src/watcher.ts";
import { Watchers, type WatchersOptions } from "../../src/watchers.ts";
import { baseline, canary } from "./sample.ts";

/** A region whose mesh counts some requests between any two readings, and whose fence can be shut. */
export class ScriptedRegion {
  readonly #names: { readonly canary: string; readonly baseline: string };
  errorsPerRead = 0;
  unreadable = false;
  reads = 0;
  lowered = 0;
  /** So many attempts to lower fail first. */
  refusals = 0;
  fence = { epoch: 2, seq: 1, gate: "open" as "open" | "shut", holder: "D-7" };
  #canary = 1_000;
  #errors = 0;
  #baseline = 9_000;

  constructor(names: { readonly canary: string; readonly baseline: string } = { canary, baseline }) {
    this.#names = names;
  }

  get source(): MetricsSource {
    return {
      read: async () => {
        this.reads += 1;
        if (this.unreadable) throw new Error("the region does not answer");
        this.#canary += 10;
        this.#baseline += 190;
        this.#errors += this.errorsPerRead;
        const [requests, errors, before] = [this.#canary, this.#errors, this.#baseline];
        await new Promise((resolve) => setImmediate(resolve));
        const host = (count: number, bad: number) => ({
          requests: count,
          errors: bad,
          latency: { le: [], counts: [] },
        });
        const versions = {
          [this.#names.canary]: { hosts: { p1: host(requests, errors) } },
          [this.#names.baseline]: { hosts: { p2: host(before, 0) } },
        };
        return { processEpoch: "1", versions, servedWeight: { [this.#names.canary]: 5 } };
      },
    };
  }

  get cluster(): RegionCluster {
    const lower = async () => {
      if (this.refusals > 0) {
        this.refusals -= 1;
        throw new Error("the region does not answer");
      }
      this.lowered += 1;
      this.fence = { ...this.fence, seq: this.fence.seq + 1, gate: "shut" };
      return { kind: "shut", seq: this.fence.seq };
    };
    const readTraffic = async () => ({ fence: this.fence, weights: { [canary]: this.fence.gate === "shut" ? 0 : 5 } });
    return { lower, readTraffic } as unknown as RegionCluster;
  }
}

export type Place = Awaited<ReturnType<typeof openPlace>>;

/** What outlives a controller: the database, the journal's folder, the regions. */
export async function openPlace() {
  const database = await testDatabase(["rollback", "bus"]);
  const db = database.db<Tables>("rollback");
  const bus = postgresBus({ url: database.url("bus"), log: silentLogger });
  const folder = await mkdtemp(join(tmpdir(), "slipway-journal-"));
  const regions: Record<string, ScriptedRegion> = { a: new ScriptedRegion(), b: new ScriptedRegion() };
  const region = (name: string) => regions[name] as ScriptedRegion;
  return {
    ...{ database, db, bus, folder, region },
    async close() {
      await bus.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The journal on a disk that takes nothing more while it is full. */
function onDisk(journal: Journal, disk: { readonly full: boolean }): Journal {
  const room = () => {
    if (disk.full) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  };
  return {
    ...journal,
    async append(entry) {
      room();
      await journal.append(entry);
    },
    async keepWatches(watches) {
      room();
      await journal.keepWatches(watches);
    },
  };
}

/** What a controller looks at and writes to in place of the scripted regions. */
export type Real = Partial<Pick<WatcherPorts, "metrics" | "cluster">> & {
  readonly lookEveryMs?: number;
  readonly onNews?: WatchersOptions["onNews"];
  /** Of a disk of its own, as another process of the service has one. */
  readonly folder?: string;
};

function withDatabase(rows: KeeperRows, present: () => void): KeeperRows {
  return {
    holder: rows.holder,
    async claim(most) {
      present();
      return rows.claim(most);
    },
    async renew() {
      present();
      return rows.renew();
    },
    async take(id) {
      present();
      return rows.take(id);
    },
    async release(id) {
      present();
      await rows.release(id);
    },
    async releaseAll() {
      present();
      await rows.releaseAll();
    },
  };
}

/** A controller at that place. While `away.now` is true nothing can be stored and nothing be read back. */
export async function startController(place: Place, away = { now: false }, real: Real = {}) {
  const { db, database, bus, region } = place;
  const { folder = place.folder } = real;
  const { metrics = (name) => region(name).source, lookEveryMs = 10 } = real;
  const cluster = real.cluster ?? (async (name: string) => region(name).cluster);
  const machine = watchDurable({ bus, clock: systemClock, cluster });
  const durable = createDurable({ db, url: database.url("rollback"), machines: [machine], log: silentLogger });
  const disk = { full: false };
  const journal = onDisk(await openJournal(folder, systemClock.now), disk);
  const applied: string[] = [];
  const present = () => {
    if (away.now) throw new Error("the database is away");
  };
  const rows = withDatabase(keeperRows(db, journal.disk), present);
  const queue = new NewsQueue({
    ...{ journal, clock: systemClock, log: silentLogger },
    store: async (entry) => {
      present();
      await storeNews({ db, durable, machine, clock: systemClock, disk: journal.disk }, entry);
      applied.push(entry.news.type);
    },
    reachable: async () => !away.now,
  });
  const watchers = new Watchers({
    ports: { metrics, cluster, clock: systemClock, log: silentLogger },
    ...{ journal, queue, clock: systemClock, log: silentLogger, lookEveryMs },
    save: async (watcher) => {
      present();
      return saveWatcher(db, watcher, rows.holder);
    },
    ...(real.onNews === undefined ? {} : { onNews: real.onNews }),
    expire: (id) => endWatch(service, id, "its time is over"),
  });
  const stored = storedWatches(db, durable, machine);
  const keeper = new Keeper({ rows, watchers, load: stored.load, log: silentLogger });
  const service: Service = { durable, machine, watchers, keeper, stored, queue, clock: systemClock };
  const known = await putBackToWork(service, journal, !away.now, silentLogger);
  watchers.start();
  keeper.start();
  await durable.start();
  return {
    ...{ watchers, keeper, queue, durable, machine, journal, applied, away, disk, service, known },
    reconcile: () => reconcile(service),
    async stop() {
      await watchers.stop();
      await keeper.stop();
      await durable.stop();
    },
  };
}
