import { openRegions } from "@slipway/cluster";
import { createDurable } from "@slipway/durable";
import type { RunningService, ServiceApp, ServiceContext, ServiceModule } from "@slipway/host";
import { openSecrets, SecretKeys } from "@slipway/secrets";
import { z } from "zod";
import { auditOnce } from "./audit-once.ts";
import { behindRegions } from "./behind.ts";
import { deploymentDurable, type Ports } from "./effects.ts";
import { eventRoutes } from "./events.ts";
import { countingBus, deploymentFigures, toldDeployments } from "./figures.ts";
import { routes } from "./http.ts";
import { secretRoutes } from "./http-secrets.ts";
import { keptViews, viewMs } from "./kept-views.ts";
import { logRoutes } from "./logs/http.ts";
import { neighbours } from "./neighbours.ts";
import { TrafficObserver } from "./observer.ts";
import { pushDurable } from "./push/deploy-push.ts";
import { pushRoutes } from "./push/routes.ts";
import { pushSubscription } from "./push/subscription.ts";
import { restoreRoutes } from "./restore.ts";
import type { Service } from "./service.ts";
import type { Tables } from "./store.ts";
import { subscriptions } from "./subscriptions.ts";

const Config = z.object({
  /** How long 100% must stand before the lock goes back. */
  SLIPWAY_SETTLE_MS: z.coerce.number().int().min(0).max(600_000).default(2_000),
  /** Between two readings of all regions for what was changed by hand. */
  SLIPWAY_DRIFT_MS: z.coerce.number().int().min(100).max(600_000).default(5_000),
  ...SecretKeys.shape,
});
/** As long as images are kept: whoever returns to a version finds the values that it ran with. */
const keepReplacedMs = 90 * 86_400_000;

type Config = z.infer<typeof Config>;

/** Deployments: plans, locks, weights, gates, and the way back. */
export const deploymentOrchestrator: ServiceModule<Config, Tables> = {
  name: "deployment-orchestrator",
  schema: "deployment",
  config: Config,
  worksWith: ["locks", "cache", "regions"],
  regionAccount: "orchestrator",
  start,
};

async function start(context: ServiceContext<Config, Tables>): Promise<RunningService> {
  const { db, dbUrl, bus, locks, clock, log, client, environments } = context;
  const regions = openRegions(context.regions, log);
  const behind = behindRegions({ db, locks });
  const cache = context.openCache({ keepMs: viewMs });
  const views = keptViews(cache);
  const names = environments.map(({ name }) => name);
  const told = toldDeployments(names);
  const keys = context.config;
  const secrets = await openSecrets({ ...context, owner: "deployment", keys, keepMs: keepReplacedMs });
  const ports: Ports = {
    regions,
    secrets,
    locks,
    bus: countingBus(bus, told),
    client,
    clock,
    metrics: context.metrics,
    behind,
    audit: auditOnce(db),
    send: async (id, input) => void (await durable.send(machine, id, input)),
    ...neighbours(db),
  };
  const machine = deploymentDurable(ports);
  // A slot is a promise, not a connection: enough that work that waits for pods never holds up a lowering.
  const pushes = pushDurable(() => service);
  const durable = createDurable({
    db,
    url: dbUrl,
    machines: [machine, pushes],
    log,
    workers: 512,
    onCommit: views.onCommit,
  });
  const service: Service = {
    ...{ db, durable, machine, regions, locks, client, bus: ports.bus, secrets, clock, behind, views, environments },
    settleMs: context.config.SLIPWAY_SETTLE_MS,
  };
  const observer = new TrafficObserver({ service, ports, log, everyMs: context.config.SLIPWAY_DRIFT_MS });
  await observer.compareAtStart();
  await durable.start();
  observer.start();
  return {
    routes: (app) => serve(app, service, pushes),
    subscriptions: [...subscriptions(service), pushSubscription(service, pushes)],
    ready: async () => undefined,
    figures: [...deploymentFigures(db, names), told.figure],
    drain: async () => {
      await observer.stop();
      await durable.stop();
    },
    close: async () => {
      await observer.stop();
      await durable.stop();
      await cache.close();
      await regions.close();
    },
  };
}

function serve(app: ServiceApp, service: Service, pushes: ReturnType<typeof pushDurable>): void {
  routes(app, service);
  secretRoutes(app, service);
  eventRoutes(app, service);
  pushRoutes(app, service, pushes);
  logRoutes(app, service);
  restoreRoutes(app, service);
}
