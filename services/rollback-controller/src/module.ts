import { join } from "node:path";
import { openRegions } from "@slipway/cluster";
import { DurationMs } from "@slipway/contracts";
import { createDurable } from "@slipway/durable";
import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import { type Db, dbNow } from "@slipway/sql";
import { z } from "zod";
import { watchDurable } from "./effects.ts";
import { countFailure, countingReads, failTally, readTally, watchFigures } from "./figures.ts";
import { routes } from "./http.ts";
import { openJournal } from "./journal.ts";
import { Keeper } from "./keeper.ts";
import { keeperRows } from "./keeper-rows.ts";
import { NewsQueue } from "./news-queue.ts";
import { putBackToWork, reconcile } from "./recovery.ts";
import type { Service } from "./service.ts";
import { startWhenReachable } from "./start-when-reachable.ts";
import { forgetEnded, saveWatcher, type Tables } from "./store.ts";
import { storeNews } from "./store-news.ts";
import { storedWatches } from "./stored-watches.ts";
import { endWatch, subscriptions } from "./subscriptions.ts";
import { Watchers } from "./watchers.ts";

const Config = z.object({
  /** Where the controller writes what it did while the database was away. Default: `journal` in the data folder. */
  SLIPWAY_JOURNAL_DIR: z.string().min(1).optional(),
  /** How long the looks of a watch that has ended stay. */
  SLIPWAY_KEEP_LOOKS: DurationMs.default(7 * 86_400_000),
  SLIPWAY_LOOK_MS: z.coerce.number().int().min(100).max(5_000).default(1_000),
});
type Config = z.infer<typeof Config>;

/** Watches every live deployment, judges it, and takes it out of traffic by itself on FAIL. It can only lower. */
export const rollbackController: ServiceModule<Config, Tables> = {
  name: "rollback-controller",
  schema: "rollback",
  config: Config,
  startsWithoutDatabase: true,
  worksWith: ["regions"],
  regionAccount: "rollback-controller",
  start,
};

async function start(context: ServiceContext<Config, Tables>): Promise<RunningService> {
  const { db, dbUrl, bus, clock, log, config, dataDir, database } = context;
  const regions = openRegions(context.regions, log);
  const { cluster } = regions;
  const machine = watchDurable({ bus, clock, cluster });
  const durable = createDurable({ db, url: dbUrl, machines: [machine], log });
  const journal = await openJournal(config.SLIPWAY_JOURNAL_DIR ?? join(dataDir, "journal"), clock.now);
  const { disk } = journal;
  const rows = keeperRows(db, disk);
  const queue = new NewsQueue({
    ...{ journal, clock, log },
    store: (entry) => storeNews({ db, durable, machine, clock, disk }, entry),
    reachable: () => isReachable(db),
  });
  const reads = readTally(regions.names);
  const failures = failTally(context.environments.map(({ name }) => name));
  const watchers = new Watchers({
    ...{ journal, queue, clock, log },
    ports: { metrics: countingReads(context.metrics, reads), cluster, clock, log },
    lookEveryMs: config.SLIPWAY_LOOK_MS,
    save: (watcher) => saveWatcher(db, watcher, rows.holder),
    onNews: (watcher, news) => countFailure(failures, watcher, news),
    expire: (id) => endWatch(service, id, "its time is over"),
  });
  const stored = storedWatches(db, durable, machine);
  const keeper = new Keeper({ rows, watchers, load: stored.load, log });
  const service: Service = { durable, machine, watchers, keeper, stored, queue, clock };
  const known = await putBackToWork(service, journal, database.isReady(), log);
  watchers.start();
  const starting = startWhenReachable(async () => {
    await database.ready;
    await dbNow(db);
    if (!known) await reconcile(service);
    keeper.start();
    await durable.start();
  }, log);
  // The Kubernetes client is slow to load, and reading comes before writing: both are done before the first FAIL needs it.
  for (const region of regions.names) {
    cluster(region)
      .then((opened) => opened.keepRoutes())
      .catch((error: unknown) => log.warn({ err: error, region }, "region not open yet"));
  }
  return {
    routes: (app) => routes(app, service),
    subscriptions: subscriptions(service),
    ready: async () => queue.trouble,
    figures: [...watchFigures({ watchers, queue, db, clock, regions: regions.names }), reads.figure, failures.figure],
    sweep: () => forgetEnded(db, config.SLIPWAY_KEEP_LOOKS),
    async drain() {
      await starting.stop();
      await durable.stop();
    },
    async close() {
      await starting.stop();
      await watchers.stop();
      await keeper.stop();
      await durable.stop();
      await regions.close();
    },
  };
}

async function isReachable(db: Db<Tables>): Promise<boolean> {
  return await dbNow(db).then(
    () => true,
    () => false,
  );
}
