import { randomUUID } from "node:crypto";
import { ProblemError, problemBody } from "@slipway/contracts";
import type { Logger } from "@slipway/sql";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { AuthorizeOptions } from "./app.ts";
import { answerClientError } from "./client-errors.ts";
import { type Meters, measureRequests } from "./meters.ts";
import { asProblem } from "./problems.ts";
import { type Trace, traceOf, withTrace } from "./trace.ts";

declare module "fastify" {
  interface FastifyRequest {
    trace: Trace | null;
    /** What a 401 of this request asks for. */
    challenge: NonNullable<AuthorizeOptions["challenge"]>;
  }
}

/** 1 MB: what a JSON body may hold. Raw routes set their own. */
export const jsonBodyLimit = 1_048_576;

export type ServedRoute = { readonly method: string; readonly url: string; readonly hidden: boolean };

/** Fastify with everything that holds for every route: ids, traces, problems, metrics. `routes` fills with what is added. */
export function createServer(log: Logger, meters: Meters): { app: FastifyInstance; routes: readonly ServedRoute[] } {
  const app = Fastify({
    loggerInstance: frameworkLogger(log),
    bodyLimit: jsonBodyLimit,
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    forceCloseConnections: "idle",
    return503OnClosing: false,
    requestTimeout: 600_000,
    // A request without a name to ask is answered as a problem below, not with an empty 400.
    http: { requireHostHeader: false },
    clientErrorHandler: answerClientError,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => answerProblem(error, request, reply, log),
  });
  app.decorateRequest("trace", null);
  app.decorateRequest("challenge", "bearer");
  app.addHook("onRequest", (request, reply, next) => {
    const header = request.headers.traceparent;
    const trace = traceOf(typeof header === "string" ? header : undefined);
    request.trace = trace;
    reply.header("x-request-id", request.id);
    withTrace(trace, next);
  });
  app.addHook("onRequest", async (request) => refuseOddHeaders(request));
  const routes = collectRoutes(app);
  app.addHook("onResponse", async (request, reply) => logAnswer(log, request, reply));
  measureRequests(app, meters);
  app.setErrorHandler((error, request, reply) => answerProblem(error, request, reply, log));
  app.setNotFoundHandler((request, reply) => {
    const problem = new ProblemError("route.not_found", `There is no ${request.method} ${pathOf(request)}.`, {
      remedy: "See /docs for what there is.",
    });
    return answerProblem(problem, request, reply, log);
  });
  // Node's own answer to an expectation that it does not know has no body.
  app.server.on("checkExpectation", (request, response) => {
    request.headers.expect = "unknown";
    app.server.emit("request", request, response);
  });
  return { app, routes };
}

/** While the process stops, each answer ends its connection: who comes next, or is told to ask again, comes to another replica. */
export function sendElsewhere(app: FastifyInstance, stopping: AbortSignal): void {
  app.addHook("onSend", async (_request, reply) => {
    if (stopping.aborted) reply.header("connection", "close");
  });
}

function collectRoutes(app: FastifyInstance): readonly ServedRoute[] {
  const routes: ServedRoute[] = [];
  app.addHook("onRoute", ({ method, url, schema }) => {
    const hidden = schema !== undefined && "hide" in schema && schema.hide === true;
    for (const one of [method].flat()) routes.push({ method: one, url, hidden });
  });
  return routes;
}

function refuseOddHeaders({ headers, raw }: FastifyRequest): void {
  if (headers.host === undefined && raw.httpVersion !== "1.0") {
    throw new ProblemError("request.malformed", "The request has no Host header.");
  }
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== "100-continue") {
    throw new ProblemError("request.invalid", "Expect: only 100-continue can be met.");
  }
}

/** What Fastify itself has to say: its warnings and errors. Requests are logged by our own hook, in our own words. */
function frameworkLogger(log: Logger): FastifyBaseLogger {
  const quiet = () => {};
  const pass = (level: "warn" | "error") => (first: unknown, message?: string) => {
    if (typeof first === "object" && first !== null) log[level](first, message ?? "fastify");
    else log[level]({ detail: first }, "fastify");
  };
  const logger = {
    level: "warn",
    ...{ trace: quiet, debug: quiet, info: quiet, silent: quiet },
    ...{ warn: pass("warn"), error: pass("error"), fatal: pass("error") },
    child: (): FastifyBaseLogger => logger,
  } as FastifyBaseLogger;
  return logger;
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): FastifyReply {
  const problem = asProblem(error);
  const { status } = problem;
  if (status >= 500) {
    const err = problem.cause ?? problem;
    log.error({ err, code: problem.code, requestId: request.id, traceId: request.trace?.traceId }, "request failed");
  }
  if (status === 401) reply.header("www-authenticate", challengeOf(request));
  if (status === 503 || problem.code === "idempotency.in_flight") reply.header("retry-after", "1");
  // The rest of a body that nobody will read must not be taken for the next request.
  if (status === 413) reply.header("connection", "close");
  return reply
    .code(status)
    .type("application/problem+json")
    .send(JSON.stringify(problemBody(problem, `urn:uuid:${request.id}`)));
}

function challengeOf(request: FastifyRequest): string {
  return request.challenge === "basic" ? 'Basic realm="slipway", charset="UTF-8"' : 'Bearer realm="slipway"';
}

function logAnswer(log: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const what = {
    requestId: request.id,
    traceId: request.trace?.traceId,
    method: request.method,
    route: request.routeOptions.url ?? pathOf(request),
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 10) / 10,
  };
  if (request.method === "GET" || request.method === "HEAD") log.debug(what, "request answered");
  else log.info(what, "request answered");
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?")[0] ?? request.url;
}
