import type { Endpoint, RawOperation } from "@slipway/contracts";
import type { FastifyInstance } from "fastify";
import type { z } from "zod";
import type { ServiceApp } from "./app.ts";
import type { EventStreams } from "./event-stream.ts";
import { type AnyHandler, routeOf, type ServeParts, validateWithZod, validator } from "./serve.ts";

/**
 * Adds a service's routes to the shared listener in two scopes beside each other: parsers and hooks that the service sets
 * on `raw` never reach its own endpoints nor those of another service.
 */
export async function addRoutes(
  root: FastifyInstance,
  routes: (app: ServiceApp) => void | Promise<void>,
  parts: ServeParts,
  streams: EventStreams,
  described: { service: string; operation: RawOperation }[],
): Promise<void> {
  const served: { readonly endpoint: Endpoint; readonly handler: AnyHandler }[] = [];
  await root.register(async (raw) => {
    const app: ServiceApp = {
      raw,
      serve(endpoint, handler) {
        served.push({ endpoint, handler: handler as AnyHandler });
      },
      describe(...operations) {
        described.push(...operations.map((operation) => ({ service: parts.service, operation })));
      },
      parse(schema, body) {
        const read = validator({ schema })(body);
        if ("error" in read) throw read.error;
        return read.value as z.output<typeof schema>;
      },
      authorize: parts.authorizer.authorize,
      events: streams.open,
    };
    await routes(app);
  });
  await root.register(async (typed) => {
    validateWithZod(typed);
    for (const { endpoint, handler } of served) typed.route(routeOf(endpoint, handler, parts));
  });
}
