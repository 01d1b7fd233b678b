import { join } from "node:path";
import { openRegions } from "@slipway/cluster";
import { createDurable } from "@slipway/durable";
import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import type { DeploymentId } from "@slipway/kernel";
import type { MetricsSource } from "@slipway/metrics";
import { z } from "zod";
import { watchDurable } from "./effects.ts";
import { routes } from "./http.ts";
import { openJournal } from "./journal.ts";
import { putBackToWork } from "./recovery.ts";
import type { Service } from "./service.ts";
import { startWhenReachable } from "./start-when-reachable.ts";
import { saveWatcher, type Tables } from "./store.ts";
import { endWatch, subscriptions } from "./subscriptions.ts";
import type { News } from "./watcher.ts";
import { Watchers } from "./watchers.ts";

const Config = z.object({
  /** Where the controller writes what it did while the database was away. Default: `journal` in the data folder. */
  SLIPWAY_JOURNAL_DIR: z.string().min(1).optional(),
  SLIPWAY_LOOK_MS: z.coerce.number().int().min(100).max(5_000).default(1_000),
});
type Config = z.infer<typeof Config>;

/** Watches every live deployment, judges it, and takes it out of traffic by itself on FAIL. It can only lower. */
export const rollbackController: ServiceModule<Config, Tables> = {
  name: "rollback-controller",
  schema: "rollback",
  config: Config,
  start,
};

async function start(context: ServiceContext<Config, Tables>): Promise<RunningService> {
  const { db, dbUrl, bus, clock, log, config, dataDir } = context;
  const regions = openRegions(context.regions, log);
  const { cluster } = regions;
  const sources = metricsCache(context);
  const machine = watchDurable({ bus, clock, cluster });
  const durable = createDurable({ db, url: dbUrl, machines: [machine], log });
  const journal = await openJournal(config.SLIPWAY_JOURNAL_DIR ?? join(dataDir, "journal"));
  const watchers = new Watchers({
    ports: { metrics: sources, cluster, clock, log },
    journal,
    clock,
    log,
    lookEveryMs: config.SLIPWAY_LOOK_MS,
    save: (watcher) => saveWatcher(db, watcher, clock.now()),
    expire: (id) => endWatch(service, id, "its time is over"),
    apply: async (id: DeploymentId, news: News) => void (await durable.send(machine, id, () => news as never)),
  });
  const service: Service = { db, durable, machine, watchers, clock };
  await putBackToWork(service, journal, log);
  watchers.start();
  const starting = startWhenReachable(durable, db, log);
  // The Kubernetes client is slow to load: it is loaded before the first FAIL needs it.
  for (const region of regions.names) {
    cluster(region).catch((error: unknown) => log.warn({ err: error, region }, "region not open yet"));
  }
  return {
    routes: (app) => routes(app, service),
    subscriptions: subscriptions(service),
    ready: async () => undefined,
    async drain() {
      await starting.stop();
      await durable.stop();
    },
    async close() {
      await watchers.stop();
      await starting.stop();
      await durable.stop();
      await regions.close();
    },
  };
}

function metricsCache(context: ServiceContext<Config, Tables>): (region: string) => MetricsSource {
  const known = new Map<string, MetricsSource>();
  return (name) => {
    const source = known.get(name);
    if (source !== undefined) return source;
    const entry = context.regions.find((region) => region.name === name);
    if (entry === undefined) throw new Error(`no region ${name} is configured`);
    const made = context.metrics(entry);
    known.set(name, made);
    return made;
  };
}
