import { ProblemError } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { request as send } from "undici";

const withinMs = 10_000;

/**
 * `/api/v1/watches`: the rollback-controller runs in a process of its own, and people reach the whole API at one address all the same. Services call
 * it directly. The controller checks the token itself.
 */
export function watchProxyRoutes(app: ServiceApp, controllerUrl: string): void {
  app.raw.route({
    method: ["GET", "POST"],
    url: "/api/v1/watches*",
    handler: async (request, reply) => {
      const { authorization } = request.headers;
      const key = request.headers["idempotency-key"];
      try {
        const answer = await send(`${controllerUrl}${request.url}`, {
          method: request.method === "POST" ? "POST" : "GET",
          headers: {
            ...(authorization === undefined ? {} : { authorization }),
            ...(typeof key === "string" ? { "idempotency-key": key } : {}),
            ...(request.method === "POST" ? { "content-type": "application/json" } : {}),
          },
          body: request.method === "POST" ? JSON.stringify(request.body ?? {}) : null,
          headersTimeout: withinMs,
          bodyTimeout: withinMs,
        });
        const type = answer.headers["content-type"];
        return reply
          .code(answer.statusCode)
          .header("content-type", typeof type === "string" ? type : "application/json")
          .send(Buffer.from(await answer.body.arrayBuffer()));
      } catch (cause) {
        throw new ProblemError("unavailable", "The rollback-controller does not answer.", {
          remedy: "It is started again by itself: try again in a few seconds.",
          cause,
        });
      }
    },
  });
}
