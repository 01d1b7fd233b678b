import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Meters = { readonly registry: Registry };

/** Our own metrics: the process's, and each request by method, route pattern (never the path itself) and status. */
export function createMeters(openStreams: () => number): Meters {
  const registry = new Registry();
  // Every 10 ms, which is the default, would wake an idle process a hundred times a second to see that it sleeps.
  collectDefaultMetrics({ register: registry, prefix: "slipway_", eventLoopMonitoringPrecision: 200 });
  new Gauge({
    name: "slipway_http_event_streams",
    help: "Open event streams",
    registers: [registry],
    collect() {
      this.set(openStreams());
    },
  });
  return { registry };
}

export function measureRequests(app: FastifyInstance, { registry }: Meters): void {
  const labelNames = ["method", "route", "status"] as const;
  const seconds = new Histogram({
    name: "slipway_http_request_duration_seconds",
    help: "Time from the request's arrival to the end of its answer",
    labelNames,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  const aborted = new Counter({
    name: "slipway_http_requests_aborted_total",
    help: "Requests whose caller went away before the answer",
    labelNames: ["method", "route"],
    registers: [registry],
  });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "(none)";
    seconds.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1_000);
  });
  app.addHook("onRequestAbort", async (request) => {
    aborted.inc({ method: request.method, route: request.routeOptions.url ?? "(none)" });
  });
}
