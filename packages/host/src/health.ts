import type { FastifyInstance } from "fastify";
import type { Meters } from "./meters.ts";

export type Readiness = { readonly name: string; ready(): Promise<string | undefined> };

/** Of one service's own check. */
const checkMs = 2_000;

/** /livez: the process turns. /readyz: each service's own word, 503 while one cannot work. /metrics: Prometheus text. */
export function serveHealth(
  app: FastifyInstance,
  services: () => readonly Readiness[],
  stopping: AbortSignal,
  meters: Meters,
): void {
  const hidden = { schema: { hide: true } };
  app.get("/livez", hidden, async () => ({ status: "ok" }));
  app.get("/readyz", hidden, async (_, reply) => {
    const checks = await Promise.all(
      services().map(async (service) => {
        const reason = await reasonOf(service);
        return { service: service.name, ready: reason === undefined, ...(reason === undefined ? {} : { reason }) };
      }),
    );
    const ready = !stopping.aborted && checks.every((check) => check.ready);
    const reason = stopping.aborted ? { reason: "stopping" } : {};
    return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "not ready", ...reason, services: checks });
  });
  app.get("/metrics", hidden, async (_, reply) =>
    reply.type(meters.registry.contentType).send(await meters.registry.metrics()),
  );
}

async function reasonOf(service: Readiness): Promise<string | undefined> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`its own check takes longer than ${checkMs} ms`), checkMs);
  try {
    return await Promise.race([service.ready(), late.promise]);
  } catch (error) {
    return error instanceof Error ? error.message : "its own check fails";
  } finally {
    clearTimeout(timer);
  }
}
