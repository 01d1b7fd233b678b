import type { RawOperation } from "@slipway/contracts";
import { systemClock } from "@slipway/kernel";
import type { ServiceApp } from "./app.ts";
import { auditRoutes } from "./audit-routes.ts";
import { authorizer } from "./authorizer.ts";
import { eventStreams } from "./event-stream.ts";
import { measureFigures } from "./figures.ts";
import { type Readiness, serveHealth } from "./health.ts";
import { leavingToNewer } from "./leave-to-newer.ts";
import { createMeters } from "./meters.ts";
import type { ServiceModule } from "./module.ts";
import { describeEndpoints, serveDocs } from "./openapi.ts";
import type { ServeParts } from "./serve.ts";
import { createServer, type ServedRoute, sendElsewhere } from "./server.ts";
import { addRoutes } from "./service-app.ts";
import { type ModuleWorld, type StartedModule, startModule } from "./start-module.ts";
import { type HostParts, stopHost } from "./stop-host.ts";
import { findTokenIn, tokenVerifier } from "./token-verifier.ts";
import type { BackendWatch } from "./watch-backends.ts";
import { measureWork } from "./work-meters.ts";

export type Routes = (app: ServiceApp) => void | Promise<void>;

/** What runs, behind a listener that is not open yet. */
export type Assembled = {
  readonly parts: HostParts;
  readonly routes: readonly ServedRoute[];
  /** Where it fails, it may be asked again: what is subscribed stays so. */
  subscribe(): Promise<void>;
};

/** Starts the modules in order and gives all of them, and the process's own routes, one listener. */
export async function assemble(
  modules: readonly ServiceModule[],
  world: ModuleWorld,
  own: {
    readonly routes?: Routes | undefined;
    readonly checks?: readonly Readiness[] | undefined;
    readonly backends: BackendWatch;
  },
): Promise<Assembled> {
  const streams = eventStreams();
  const meters = createMeters(streams.size);
  const { app, routes } = createServer(world.log, meters);
  const started: StartedModule[] = [];
  const subscriptions: HostParts["subscriptions"][number][] = [];
  const stopping = new AbortController();
  sendElsewhere(app, stopping.signal);
  const parts: HostParts = { app, modules: started, subscriptions, streams, stopping, log: world.log };
  try {
    for (const module of modules) {
      const one = await startModule(module, world);
      started.push(one);
      own.backends.started(one);
    }
    measureWork(meters, () => started);
    measureFigures(
      meters,
      started.flatMap(({ running }) => running.figures ?? []),
    );
    await describeEndpoints(app, "0.1.0");
    const services = () => [...started.map((module) => readiness(module, own.backends)), ...(own.checks ?? [])];
    serveHealth(app, { services, stopping: stopping.signal, started: true }, meters);
    const described: { service: string; operation: RawOperation }[] = [];
    await serveDocs(app, described);
    const serving = started.map((module) => ({ module, parts: servePartsOf(module, stopping.signal) }));
    for (const { module, parts: serve } of serving) {
      const routes: Routes = async (service) => {
        await module.running.routes(service);
        auditRoutes(service, module);
      };
      await addRoutes(app, routes, serve, streams, described);
    }
    const first = serving[0];
    if (own.routes !== undefined && first !== undefined) {
      await addRoutes(app, own.routes, { ...first.parts, service: "standalone" }, streams, described);
    }
    await app.ready();
  } catch (error) {
    await stopHost(parts, 5_000);
    throw error;
  }
  const wanted = started.flatMap(({ bus, running, log }) =>
    (running.subscriptions ?? []).map((subscription) => ({ bus, subscription: leavingToNewer(subscription, log) })),
  );
  return {
    parts,
    routes,
    async subscribe() {
      for (let next = wanted[0]; next !== undefined; next = wanted[0]) {
        subscriptions.push(await next.bus.subscribe(next.subscription));
        wanted.shift();
      }
    },
  };
}

const readiness = ({ name, running, bus }: StartedModule, backends: BackendWatch): Readiness => ({
  name,
  ready: async () => (await running.ready()) ?? (await bus.ready()),
  warnings: () => backends.warnings(name),
  regions: () => backends.regions(name),
});

function servePartsOf({ name, db, idempotency, clock, log }: StartedModule, stopping: AbortSignal): ServeParts {
  // Each service checks tokens itself, under its own role: one service's database trouble is not another's.
  const verifier = tokenVerifier({ find: findTokenIn(db), clock: systemClock, log });
  return { service: name, authorizer: authorizer(verifier), idempotency, clock, log, stopping };
}
