import { openRegions } from "@slipway/cluster";
import { createDurable } from "@slipway/durable";
import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import type { Db } from "@slipway/sql";
import { z } from "zod";
import type { Deployment } from "./domain/deployment.ts";
import { deploymentDurable, type Ports } from "./effects.ts";
import { eventRoutes } from "./events.ts";
import { routes } from "./http.ts";
import type { Service } from "./service.ts";
import { listDeployments, type Tables } from "./store.ts";
import { subscriptions } from "./subscriptions.ts";

const Config = z.object({
  /** How long 100% must stand before the lock goes back. */
  SLIPWAY_SETTLE_MS: z.coerce.number().int().min(0).max(600_000).default(2_000),
});
type Config = z.infer<typeof Config>;

/** Deployments: plans, locks, weights, gates, and the way back. */
export const deploymentOrchestrator: ServiceModule<Config, Tables> = {
  name: "deployment-orchestrator",
  schema: "deployment",
  config: Config,
  start,
};

async function start(context: ServiceContext<Config, Tables>): Promise<RunningService> {
  const { db, dbUrl, bus, locks, clock, log, client, environments } = context;
  const regions = openRegions(context.regions, log);
  const ports: Ports = {
    regions,
    locks,
    bus,
    client,
    clock,
    send: async (id, input) => void (await durable.send(machine, id, input)),
    sharing: async (state, phases) => (await othersOf(db, state, phases)).map((other) => other.plan.id),
    wayBack: async (state) =>
      (await othersOf(db, state, ["watching"]))
        .filter((other) => other.phase === "watching" && other.replacedBy === null)
        .flatMap((other) => Object.values(other.plan.baselines))
        .filter((version) => version !== null),
  };
  const machine = deploymentDurable(ports);
  const durable = createDurable({ db, url: dbUrl, machines: [machine], log });
  const service: Service = {
    db,
    durable,
    machine,
    regions,
    locks,
    client,
    clock,
    environments,
    settleMs: context.config.SLIPWAY_SETTLE_MS,
  };
  await durable.start();
  return {
    routes: (app) => {
      routes(app, service);
      eventRoutes(app, service);
    },
    subscriptions: subscriptions(service),
    ready: async () => undefined,
    drain: () => durable.stop(),
    close: async () => {
      await durable.stop();
      await regions.close();
    },
  };
}

/** Deployments in these phases that share a target with this one. */
async function othersOf(db: Db<Tables>, state: Deployment, phases: readonly Deployment["phase"][]) {
  const { service, environment } = state.plan;
  const found = await listDeployments(db, { service, environment, phases }, 200);
  return found.map((other) => other.state).filter((other) => sharesTarget(state, other));
}

function sharesTarget(one: Deployment, other: Deployment): boolean {
  return one.plan.id !== other.plan.id && other.plan.regions.some((region) => one.plan.regions.includes(region));
}
