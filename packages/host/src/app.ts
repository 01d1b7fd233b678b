import type { Endpoint, RawOperation, Role } from "@slipway/contracts";
import type { Instant, Refusal } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";

/** Who calls: the name of the token, e.g. `deployer` or `build-service`, and what it may do. */
export type Principal = { readonly name: string; readonly roles: readonly Role[] };

/** One validated call of an endpoint. Parts that the endpoint does not declare are `unknown`. */
export type Call<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
  readonly principal: Principal;
  readonly now: Instant;
  /**
   * `<principal> <endpoint> <Idempotency-Key>` where the caller sent a key. The host answers repeats itself; a service that
   * writes it with its row (unique) closes the gap of a crash between its commit and the stored answer.
   */
  readonly idempotencyKey: string | undefined;
  readonly requestId: string;
  readonly log: Logger;
  /** Aborted when the caller goes away, or after 60 s, when the answer is `unavailable`. */
  readonly signal: AbortSignal;
};

export type AuthorizeOptions = {
  /** What a 401 asks for: git and OCI clients need `basic`. Both schemes are always accepted. Default `bearer`. */
  readonly challenge?: "bearer" | "basic";
};

export type EventStreamOptions = {
  readonly heartbeatMs?: number;
  /** A reader that is further behind than this is cut off (it resumes by Last-Event-ID). Default 1 MB. */
  readonly maxBufferedBytes?: number;
};

/** Server-sent events to one reader. */
export type EventStream = {
  readonly lastEventId: string | undefined;
  /** Aborted when the reader has gone or the host stops. */
  readonly signal: AbortSignal;
  /** False once the stream is closed. Resolves when there is room for more, so that a loop of `await send()` is paced by the reader. */
  send(event: { readonly id?: string; readonly event?: string; readonly data: string }): Promise<boolean>;
  end(): void;
};

export type ServiceApp = {
  /**
   * Serves an endpoint of the contracts: validates what comes in and goes out, checks roles (deny by default), answers repeats
   * of an Idempotency-Key, describes it in OpenAPI. The handler returns the response or a Refusal (answered as its problem);
   * a thrown ProblemError is answered as it says, anything else as `internal`.
   */
  serve<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
    endpoint: Endpoint<P, Q, B, R>,
    handler: (call: Call<P, Q, B>) => Promise<z.input<R> | Refusal>,
  ): void;
  /** Fastify itself, encapsulated: content type parsers and hooks set here touch only raw routes of this service. No authentication by itself. */
  readonly raw: FastifyInstance;
  /** For raw routes: says in OpenAPI what is served there. A test expects it of every route. */
  describe(...operations: readonly RawOperation[]): void;
  /** For raw routes: the body as a schema reads it. Throws ProblemError request.invalid with every wrong place. */
  parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S>;
  /** For raw routes: throws ProblemError auth.missing, auth.invalid or auth.forbidden. */
  authorize(request: FastifyRequest, roles: readonly Role[], options?: AuthorizeOptions): Promise<Principal>;
  /** For raw routes: takes the reply over and answers `text/event-stream`. */
  events(request: FastifyRequest, reply: FastifyReply, options?: EventStreamOptions): EventStream;
};
