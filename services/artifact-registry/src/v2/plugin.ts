import { Readable } from "node:stream";
import { anyRole, ProblemError, type Role } from "@slipway/contracts";
import { asProblem, type ServiceApp } from "@slipway/host";
import { ObjectsUnavailable } from "@slipway/objects";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { paced } from "./bytes.ts";
import { dispatch, isRead } from "./dispatch.ts";
import { OciProblem, ociBody } from "./errors.ts";
import type { Answer, Exchange, Registry } from "./exchange.ts";
import { ociOperations } from "./operations.ts";
import { parseRoute } from "./route.ts";

const pushers: readonly Role[] = ["service"];
const idleMs = 60_000;

/** Serves the OCI distribution API under /v2. Bodies are streams here, whatever their type and however large. */
export function serveV2(app: ServiceApp, registry: Registry): void {
  app.describe(...ociOperations);
  app.raw.register(async (v2: FastifyInstance) => {
    v2.removeAllContentTypeParsers();
    v2.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    v2.setErrorHandler((error, _request, reply) => sendProblem(registry, reply, error));
    // What an answer did not want of the body is read away: unread, it would hold up the next request of the connection.
    v2.addHook("onSend", async (request) => void request.raw.resume());
    const handle = async (request: FastifyRequest, reply: FastifyReply) => {
      reply.header("docker-distribution-api-version", "registry/2.0");
      const principal = await app.authorize(request, isRead(request.method) ? anyRole : pushers, {
        challenge: "basic",
      });
      const [path = "", query = ""] = splitUrl(request.raw.url ?? "");
      const route = parseRoute(path.replace(/^\/v2\/?/, ""));
      if (route === undefined) throw new OciProblem("UNSUPPORTED", "there is no such endpoint", { status: 404 });
      const exchange = exchangeOf(request, new URLSearchParams(query), principal.name);
      return send(reply, await dispatch(registry, exchange, route));
    };
    const route = {
      method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const,
      bodyLimit: Number.MAX_SAFE_INTEGER,
      exposeHeadRoute: false,
      handler: handle,
    };
    v2.route({ ...route, method: ["GET", "HEAD"], url: "/v2" });
    v2.route({ ...route, method: [...route.method], url: "/v2/*" });
  });
}

function splitUrl(url: string): [string, string] {
  const at = url.indexOf("?");
  return at < 0 ? [url, ""] : [url.slice(0, at), url.slice(at + 1)];
}

function exchangeOf(request: FastifyRequest, query: URLSearchParams, by: string): Exchange {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return { method: request.method, query, headers, by, body: bodyOf(request) };
}

/** The stream stays open when a reader stops early: closing it would take the connection away before the answer is sent. */
function bodyOf(request: FastifyRequest): AsyncIterable<Uint8Array> {
  const stream = request.body;
  if (!(stream instanceof Readable)) return nothing();
  const stall = () => stream.destroy(new OciProblem("BLOB_UPLOAD_INVALID", "the upload stalled", { status: 408 }));
  return paced(stream.iterator({ destroyOnReturn: false }), idleMs, stall);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function send(reply: FastifyReply, answer: Answer): FastifyReply {
  reply.code(answer.status).headers(answer.headers);
  const { body } = answer;
  if (body === undefined) return reply.send();
  // As bytes: to a string Fastify adds a charset, and a media type with parameters is another one to OCI clients.
  if (typeof body === "string" || body instanceof Uint8Array) return reply.send(Buffer.from(body));
  return reply.send(Readable.from(body, { objectMode: false }));
}

function sendProblem(registry: Registry, reply: FastifyReply, error: unknown): FastifyReply {
  const problem = asOci(error);
  if (problem.status >= 500)
    registry.log.error({ err: problem.cause ?? problem, code: problem.code }, "a /v2 request failed");
  if (problem.status === 401) reply.header("www-authenticate", 'Basic realm="slipway", charset="UTF-8"');
  if (problem.status === 413) reply.header("connection", "close");
  return reply.code(problem.status).headers(problem.headers).type("application/json").send(ociBody(problem));
}

/** What the server itself could not read, e.g. a content type that is none; anything else is as the platform's other calls answer it. */
function unread(error: unknown): OciProblem {
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  if (status < 400 || status >= 500) return asOci(asProblem(error));
  return new OciProblem("UNSUPPORTED", `the request cannot be read: ${(error as Error).message}`, {
    status,
    cause: error,
  });
}

function asOci(error: unknown): OciProblem {
  if (error instanceof OciProblem) return error;
  // Its sentence says what to do, and whoever sends tries again.
  if (error instanceof ObjectsUnavailable) return new OciProblem("UNAVAILABLE", error.message, { cause: error });
  if (!(error instanceof ProblemError)) return unread(error);
  if (error.status === 401) return new OciProblem("UNAUTHORIZED", error.message);
  if (error.status === 403) return new OciProblem("DENIED", error.message);
  const code = error.status === 503 ? "UNAVAILABLE" : "UNKNOWN";
  const message = error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`;
  return new OciProblem(code, message, { status: error.status, cause: error.cause ?? error });
}
