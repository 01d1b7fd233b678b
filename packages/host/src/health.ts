import { within } from "@slipway/kernel";
import type { FastifyInstance } from "fastify";
import { Gauge } from "prom-client";
import type { Meters } from "./meters.ts";
import { countRegions } from "./region-meters.ts";
import type { RegionLooks } from "./trouble.ts";

export type Readiness = {
  readonly name: string;
  ready(): Promise<string | undefined>;
  /** What is wrong and keeps it from nothing else. */
  warnings?(): readonly string[];
  /** By region: whether the service was let in there the last time, and by which token. */
  regions?(): RegionLooks["looks"];
};

/** Of one service's own check. */
const checkMs = 2_000;
/** What was found so lately is told again. */
const freshMs = 10_000;

type Found = {
  readonly service: string;
  readonly ready: boolean;
  readonly reason?: string;
  readonly warnings?: readonly string[];
};

export type Health = {
  readonly services: () => readonly Readiness[];
  /** Aborted when the host stops. */
  readonly stopping: AbortSignal;
  /** False: the services do not run yet, and nothing else is answered here. */
  readonly started: boolean;
};

/**
 * /livez: the process turns. /servingz: requests may be sent here, though the answer may be that something is away. /readyz: each service's own
 * word, 503 while one lacks something. /metrics: Prometheus text.
 */
export function serveHealth(app: FastifyInstance, { services, stopping, started }: Health, meters: Meters): void {
  const hidden = { schema: { hide: true } };
  const looks = sharedLooks(services);
  countReady(meters, looks.last, services, stopping);
  countRegions(meters, services);
  app.get("/livez", hidden, async () => ({ status: "ok" }));
  app.get("/servingz", hidden, async (_, reply) => {
    const reason = stopping.aborted ? "stopping" : "not started";
    const serving = started && !stopping.aborted;
    return reply.code(serving ? 200 : 503).send(serving ? { status: "serving" } : { status: "not serving", reason });
  });
  app.get("/readyz", hidden, async (_, reply) => {
    const checks = await looks.now();
    const ready = !stopping.aborted && checks.every((check) => check.ready);
    const reason = stopping.aborted ? { reason: "stopping" } : {};
    return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "not ready", ...reason, services: checks });
  });
  app.get("/metrics", hidden, async (_, reply) =>
    reply.type(meters.registry.contentType).send(await meters.registry.metrics()),
  );
}

/**
 * A check asks the bus and the store. `now` asks them; `last` tells what was found last, so that a scrape is not held up, and has them asked again for
 * the next one where that is old.
 */
function sharedLooks(services: () => readonly Readiness[]) {
  let under: Promise<readonly Found[]> | undefined;
  let found: { readonly at: number; readonly checks: readonly Found[] } | undefined;
  const now = (): Promise<readonly Found[]> => {
    under ??= Promise.all(services().map(foundOf))
      .then((checks) => {
        found = { at: performance.now(), checks };
        return checks;
      })
      .finally(() => {
        under = undefined;
      });
    return under;
  };
  const last = async (): Promise<readonly Found[]> => {
    if (found === undefined) return now();
    if (performance.now() - found.at > freshMs) void now();
    return found.checks;
  };
  return { now, last };
}

function countReady(
  { registry }: Meters,
  last: () => Promise<readonly Found[]>,
  services: () => readonly Readiness[],
  stopping: AbortSignal,
): void {
  const shared = { labelNames: ["service"] as const, registers: [registry] };
  new Gauge({
    name: "slipway_service_ready",
    help: "1 while the service can work; /readyz says why not",
    ...shared,
    async collect() {
      for (const { service, ready } of await last()) this.set({ service }, ready && !stopping.aborted ? 1 : 0);
    },
  });
  new Gauge({
    name: "slipway_service_warnings",
    help: "What is wrong with what the service works with and keeps it from nothing else; /readyz says what",
    ...shared,
    collect() {
      for (const { name, warnings } of services()) this.set({ service: name }, warnings?.().length ?? 0);
    },
  });
}

async function foundOf(service: Readiness): Promise<Found> {
  const reason = await reasonOf(service);
  const warnings = service.warnings?.() ?? [];
  return {
    service: service.name,
    ready: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

async function reasonOf(service: Readiness): Promise<string | undefined> {
  try {
    return await within(checkMs, service.ready(), () => `its own check takes longer than ${checkMs} ms`);
  } catch (error) {
    return error instanceof Error ? error.message : "its own check fails";
  }
}
