import { type Endpoint, issueText, Problem, ProblemError, unknownFields, unstorable } from "@slipway/contracts";
import { type Clock, instant, type Refusal, within } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { FastifyInstance, FastifyRequest, RouteOptions } from "fastify";
import { z } from "zod";
import type { Call, Principal } from "./app.ts";
import type { Authorizer } from "./authorizer.ts";
import type { Idempotency, StoredAnswer } from "./idempotency.ts";
import { type Asked, HandlerLate, keyOf, once } from "./once.ts";
import { emptyBodyMark } from "./openapi.ts";
import { invalidRequest, isRefusal, keysOf, malformedJson, refusalProblem, unstorableRequest } from "./problems.ts";

export type AnyCall = Call<z.ZodType, z.ZodType, z.ZodType>;
export type AnyHandler = (call: AnyCall) => Promise<unknown>;

export type ServeParts = {
  readonly service: string;
  readonly authorizer: Authorizer;
  readonly idempotency: Idempotency;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborted when the host stops. */
  readonly stopping: AbortSignal;
};

/** A handler that has no answer by then is given up. */
const handlerMs = 60_000;

/** The route of one endpoint. Order: who are you, may you, is it valid, was it asked before, then the handler. */
export function routeOf(endpoint: Endpoint, handler: AnyHandler, parts: ServeParts): RouteOptions {
  const principals = new WeakMap<FastifyRequest, Principal>();
  return {
    method: endpoint.method,
    url: endpoint.path,
    schema: schemaOf(endpoint, parts.service),
    // Before the body is read: who may not call this cannot make us parse a megabyte either.
    onRequest: async (request) => {
      const principal = await parts.authorizer.authorize(request, endpoint.roles);
      refuseWhenStopping(principal, request, parts.stopping);
      principals.set(request, principal);
    },
    preValidation: async (request) => {
      if (endpoint.emptyBody === true && (request.body === undefined || request.body === null)) request.body = {};
    },
    handler: async (request, reply) => {
      const principal = principals.get(request);
      if (principal === undefined) throw new Error("a request without a principal reached its handler");
      const asked = { endpoint, request, reply, key: keyOf(endpoint, request, principal) };
      const call = callOf(asked, principal, parts);
      const answer = await once(asked, parts, () => perform(endpoint, handler, call));
      return reply.code(answer.status).type("application/json; charset=utf-8").send(answer.body);
    },
  };
}

/** Validates a part of the request by its zod schema; used as Fastify's validator compiler. */
export function validator({ schema, httpPart }: { schema: unknown; httpPart?: string }) {
  const part = httpPart === "querystring" ? "query" : (httpPart ?? "body");
  return (data: unknown) => {
    const parsed = (schema as z.ZodType).safeParse(data, { error: issueText });
    if (!parsed.success) return { error: invalidRequest(part, parsed.error, keysOf(schema)) };
    const unkept = unstorable(parsed.data, [part]);
    return unkept.length === 0 ? { value: parsed.data } : { error: unstorableRequest(unkept) };
  };
}

function schemaOf(endpoint: Endpoint, service: string): NonNullable<RouteOptions["schema"]> {
  const problem = { description: "A problem (RFC 9457)", content: { "application/problem+json": { schema: Problem } } };
  return {
    operationId: endpoint.id,
    summary: endpoint.summary,
    tags: [service],
    description: `Roles: ${[...new Set([...endpoint.roles, "admin"])].join(", ")}.`,
    security: [{ token: [] }],
    ...(endpoint.params === undefined ? {} : { params: endpoint.params }),
    querystring: strictQuery(endpoint.query),
    ...(endpoint.body === undefined ? {} : { body: endpoint.body }),
    ...(endpoint.emptyBody === true ? { [emptyBodyMark]: true } : {}),
    response: { [endpoint.status]: endpoint.response, "4xx": problem, "5xx": problem },
  };
}

/** A parameter that is not known is refused: `validate_onyl=true` must not deploy. */
function strictQuery(query: z.ZodType | undefined): z.ZodType {
  if (query === undefined) return z.strictObject({});
  return query instanceof z.ZodObject ? query.strict() : query;
}

function refuseWhenStopping(principal: Principal, request: FastifyRequest, stopping: AbortSignal): void {
  // Work under way may still need a read or a sister service's answer; new work of people goes to another replica.
  if (!stopping.aborted || request.method === "GET" || principal.roles.includes("service")) return;
  throw new ProblemError("unavailable", "This process is stopping and takes no new work.", {
    remedy: "Try again in a few seconds.",
  });
}

function callOf({ request, reply, key }: Asked, principal: Principal, parts: ServeParts): AnyCall {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort(new Error("the caller has gone"));
  });
  return {
    params: request.params,
    query: request.query,
    body: request.body,
    principal,
    now: instant(parts.clock.now()),
    idempotencyKey: key === undefined ? undefined : `${key.principal} ${key.endpoint} ${key.key}`,
    requestId: request.id,
    log: parts.log,
    signal: AbortSignal.any([gone.signal, AbortSignal.timeout(handlerMs)]),
  };
}

async function perform(endpoint: Endpoint, handler: AnyHandler, call: AnyCall): Promise<StoredAnswer> {
  const result: unknown = await withinTime(handler(call));
  if (isRefusal(result)) throw refusalProblem(result satisfies Refusal);
  const parsed = endpoint.response.safeParse(result);
  if (!parsed.success) {
    const unknown = unknownFields(parsed.error);
    if (unknown !== undefined)
      throw new ProblemError("unavailable", `What is stored has fields of a newer version: ${unknown.join(", ")}.`, {
        remedy: "An upgrade is under way: try again in a few seconds, a process of the newer version answers it.",
        cause: parsed.error,
      });
    throw new ProblemError("internal", "the answer is not what the contract promises", { cause: parsed.error });
  }
  return { status: endpoint.status, body: JSON.stringify(parsed.data) };
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  return within(handlerMs, work, () => {
    throw new HandlerLate("unavailable", "No answer was found in time; the work may still be done.");
  });
}

/** What `register` needs of Fastify before routes of endpoints are added. */
export function validateWithZod(app: FastifyInstance): void {
  app.setValidatorCompiler(validator);
  acceptJson(app);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

/** An empty JSON body is no body (some endpoints allow that); anything else goes through Fastify's safe parser. */
function acceptJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  // curl says "form" of whatever it is given with -d; these endpoints take bearer tokens, no cookies, and know JSON only.
  const types = ["application/json", "application/x-www-form-urlencoded"];
  app.addContentTypeParser(types, { parseAs: "string" }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else
      void parse(request, body as string, (error, value) =>
        done(error === null ? null : malformedJson(body as string, error), value),
      );
  });
  app.removeContentTypeParser("text/plain");
}
