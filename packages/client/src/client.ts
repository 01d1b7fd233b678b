import type { Endpoint } from "@slipway/contracts";
import type { z } from "zod";

/** The schema part that an endpoint does not declare is inferred as `unknown`: then the call must not carry it. */
type Part<Name extends string, S extends z.ZodType | undefined> = S extends z.ZodType
  ? unknown extends z.input<S>
    ? { readonly [K in Name]?: undefined }
    : Record<string, never> extends z.input<S>
      ? { readonly [K in Name]?: z.input<S> }
      : { readonly [K in Name]: z.input<S> }
  : never;

export type CallOptions = {
  /** Makes a mutating call safe to repeat: it is then retried like a read. */
  readonly idempotencyKey?: string | undefined;
  /** Of the whole call with its retries. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type CallInput<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = Part<"params", P> &
  Part<"query", Q> &
  Part<"body", B> &
  CallOptions;

export type ServerSentEvent = { readonly id: string | undefined; readonly event: string; readonly data: string };

export type StreamOptions = {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Go on after this event. Kept up to date over reconnects by the stream itself. */
  readonly lastEventId?: string;
  readonly signal?: AbortSignal;
  /** Told once each time the stream breaks off without having ended; it goes on by itself. */
  readonly onBreak?: () => void;
  /** How long the server may be away or silent before the stream gives up. Default: 15 s until it has begun, a minute from then on. */
  readonly giveUpAfterMs?: number;
};

export type Client = {
  /**
   * One typed call. Answers outside 2xx that are problems are thrown as ProblemError with the server's code; a server that
   * cannot be reached within the deadline is ProblemError `unavailable`.
   */
  call<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
    endpoint: Endpoint<P, Q, B, R>,
    ...input: Record<string, never> extends CallInput<P, Q, B> ? [CallInput<P, Q, B>?] : [CallInput<P, Q, B>]
  ): Promise<z.output<R>>;
  /** Server-sent events of a path, over reconnects, until the server ends with 204, a problem, or `signal`. */
  stream(path: string, options?: StreamOptions): AsyncIterable<ServerSentEvent>;
  /** Ends the keep-alive connections. Calls in flight are given up. */
  close(): Promise<void>;
};
