import {
  type Endpoint,
  getWatch,
  listAuditOf,
  listWatches,
  ProblemError,
  type RawOperation,
  type RawParameter,
  shutWatch,
  verifyAuditOf,
} from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { request as send } from "undici";
import { z } from "zod";

const withinMs = 10_000;
const controller = "rollback-controller";
const proxied: readonly Endpoint[] = [
  ...[listWatches, getWatch, shutWatch],
  ...[listAuditOf(controller), verifyAuditOf(controller)],
];

type Request = Parameters<ServiceApp["authorize"]>[0];
/** Passed on as the controller said them. */
const answerHeaders = ["content-type", "www-authenticate", "retry-after", "idempotent-replayed"] as const;

/**
 * `/api/v1/watches` and its audit log: the rollback-controller runs in a process of its own, and people reach the whole API at one address all the same. Services call
 * it directly. The controller reads the body and checks the token itself.
 */
export function watchProxyRoutes(app: ServiceApp, controllerUrl: string): void {
  app.describe(...proxied.map(operationOf));
  app.raw.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    for (const { method, path } of proxied) {
      scope.route({
        method,
        url: path,
        handler: async (request, reply) => {
          const answer = await forward(request, `${controllerUrl}${request.url}`);
          for (const name of answerHeaders) {
            const value = answer.headers[name];
            if (typeof value === "string") reply.header(name, value);
          }
          return reply.code(answer.statusCode).send(answer.body);
        },
      });
    }
  });
}

async function forward(request: Request, url: string) {
  const { authorization, "idempotency-key": key, "content-type": type } = request.headers;
  const posts = request.method === "POST";
  try {
    const answer = await send(url, {
      method: posts ? "POST" : "GET",
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(typeof key === "string" ? { "idempotency-key": key } : {}),
        ...(posts && type !== undefined ? { "content-type": type } : {}),
      },
      body: posts && request.body instanceof Uint8Array ? request.body : null,
      headersTimeout: withinMs,
      bodyTimeout: withinMs,
    });
    return { ...answer, body: Buffer.from(await answer.body.arrayBuffer()) };
  } catch (cause) {
    throw new ProblemError("unavailable", "The rollback-controller does not answer.", {
      remedy: "It is started again by itself: try again in a few seconds.",
      cause,
    });
  }
}

/** The controller's own endpoint, described here too: this process does not serve it from the contract. */
function operationOf({ id, method, path, summary, roles, query, body, status, response }: Endpoint): RawOperation {
  return {
    id,
    method,
    path,
    summary,
    auth: "token",
    roles,
    parameters: parametersOf(query),
    ...(body === undefined ? {} : { body: { "application/json": body } }),
    answers: { [status]: { description: summary, type: "application/json", schema: response } },
    errors: "problem",
  };
}

function parametersOf(query: z.ZodType | undefined): readonly RawParameter[] {
  if (!(query instanceof z.ZodObject)) return [];
  const fields: readonly (readonly [string, z.ZodType])[] = Object.entries(query.shape);
  return fields.map(([name, field]) => ({ name, in: "query", description: field.description ?? "As of other lists" }));
}
