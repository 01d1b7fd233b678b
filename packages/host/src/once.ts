import { type Endpoint, ProblemError } from "@slipway/contracts";
import type { Logger } from "@slipway/sql";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Principal } from "./app.ts";
import { claimMs, type Idempotency, type IdempotencyKey, requestHash, type StoredAnswer } from "./idempotency.ts";

/** A handler that was given up may still be at work: its claim is kept so much longer. */
const lateMs = 30_000;

/** No answer was found in time. */
export class HandlerLate extends ProblemError {}

/** What was asked, and under which key. */
export type Asked = {
  readonly endpoint: Endpoint;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly key: IdempotencyKey | undefined;
};

type OnceParts = { readonly idempotency: Idempotency; readonly log: Logger };

export function keyOf(endpoint: Endpoint, request: FastifyRequest, principal: Principal): IdempotencyKey | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined || endpoint.method === "GET") return undefined;
  if (typeof key !== "string" || !/^[\x21-\x7e]{1,200}$/.test(key)) {
    throw new ProblemError("request.invalid", "Idempotency-Key is 1 to 200 visible ASCII characters.", {
      errors: [{ at: "/headers/idempotency-key", message: "1 to 200 visible ASCII characters" }],
    });
  }
  return { principal: principal.name, endpoint: endpoint.id, key };
}

/** Performs, or repeats the answer that the same key had. Only answers of success are kept: a refusal changed nothing. */
export async function once(
  { endpoint, request, reply, key }: Asked,
  { idempotency, log }: OnceParts,
  work: () => Promise<StoredAnswer>,
): Promise<StoredAnswer> {
  // A PUT repeats harmlessly by its meaning, and must work while the database is away; a dry run has nothing to keep.
  if (key === undefined || endpoint.method === "PUT" || isDryRun(request.query)) return await work();
  const { params, query, body } = request;
  const earlier = await idempotency.begin(key, requestHash({ params, query, body }));
  if (earlier !== undefined) {
    reply.header("idempotent-replayed", "true");
    return earlier;
  }
  const letGo = keepClaim(idempotency, key);
  try {
    const answer = await work();
    await idempotency.finish(key, answer).catch((error: unknown) => {
      log.error({ err: error, endpoint: endpoint.id }, "an answer could not be kept for its idempotency key");
    });
    letGo();
    return answer;
  } catch (error) {
    if (error instanceof HandlerLate) setTimeout(letGo, lateMs).unref();
    else {
      letGo();
      await idempotency.free(key).catch(() => undefined);
    }
    throw error;
  }
}

/** Renewed four times within its time until it is let go: one lost answer costs nothing. */
function keepClaim(idempotency: Idempotency, key: IdempotencyKey): () => void {
  const timer = setInterval(() => void idempotency.keep(key).catch(() => undefined), claimMs / 4).unref();
  return () => clearInterval(timer);
}

function isDryRun(query: unknown): boolean {
  return typeof query === "object" && query !== null && "validate_only" in query && query.validate_only === true;
}
