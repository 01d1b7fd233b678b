import { type Endpoint, ProblemError } from "@slipway/contracts";
import type { z } from "zod";
import { problemOf, readAnswer } from "./answers.ts";
import type { CallInput, CallOptions, Client } from "./client.ts";
import { openConnections } from "./connections.ts";
import { ownerOf, type PlatformService } from "./owners.ts";
import { pathOf } from "./paths.ts";
import { type Attempt, attempts, type RetryRule } from "./retry.ts";
import { streamEvents } from "./stream.ts";

export type ClientOptions = {
  /** Base URL for every call whose owner is not in `urls`. A function is asked at each call, with the path and without its query. */
  readonly url: string | ((path: string) => string);
  readonly urls?: Readonly<Partial<Record<PlatformService, string>>>;
  /** `slp_…`; a function is asked at each call, so that a token may be renewed. */
  readonly token?: string | (() => string | undefined) | undefined;
  /** Of one call with its retries. Default 10 000. */
  readonly timeoutMs?: number;
  /** Sent as `traceparent` where it answers one. */
  readonly traceparent?: () => string | undefined;
  /** Told what a call or a stream waits for, where it is tried again and that takes longer than a moment. */
  readonly onWait?: (why: string) => void;
  /** 0 <= x < 1, spreads retries. Default Math.random. */
  readonly random?: () => number;
};

type AnyInput = CallOptions & { readonly params?: unknown; readonly query?: unknown; readonly body?: unknown };

/** A client for one platform, over keep-alive connections. Close it when done. */
export function createClient(options: ClientOptions): Client {
  const connections = openConnections();
  const rule: RetryRule = { random: options.random ?? Math.random };

  const urlOf = (path: string): string => {
    const [withoutQuery = path] = path.split("?");
    const owner = ownerOf(withoutQuery);
    const own = owner === undefined ? undefined : options.urls?.[owner];
    const base = own ?? (typeof options.url === "function" ? options.url(withoutQuery) : options.url);
    return `${base.replace(/\/+$/, "")}${path}`;
  };

  const headers = () => headersFor(options);

  async function send(endpoint: Endpoint, input: AnyInput, attempt: Attempt) {
    const path = pathOf(endpoint.path, input.params, input.query);
    const url = new URL(urlOf(path));
    const hasBody = endpoint.method !== "GET" && endpoint.body !== undefined;
    return connections.use(async (agent) => {
      const answer = await agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: endpoint.method,
        headers: {
          accept: "application/json, application/problem+json",
          ...headers(),
          ...(hasBody ? { "content-type": "application/json" } : {}),
          ...(input.idempotencyKey === undefined ? {} : { "idempotency-key": input.idempotencyKey }),
        },
        body: hasBody ? JSON.stringify(input.body ?? {}) : null,
        signal: attempt.signal,
      });
      return {
        status: answer.statusCode,
        retryAfter: answer.headers["retry-after"],
        text: await answer.body.text(),
        url: url.href,
      };
    });
  }

  return {
    async call<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
      endpoint: Endpoint<P, Q, B, R>,
      ...[input]: [CallInput<P, Q, B>?]
    ): Promise<z.output<R>> {
      const given: AnyInput = input ?? {};
      const repeatable = endpoint.method !== "POST" || given.idempotencyKey !== undefined;
      const timeoutMs = given.timeoutMs ?? options.timeoutMs ?? 10_000;
      const what = `${endpoint.method} ${endpoint.path}`;
      const answer = await attempts(
        rule,
        { what, repeatable, timeoutMs, signal: given.signal, onWait: options.onWait },
        (attempt) => send(endpoint, given, attempt),
      );
      if (answer.status < 200 || answer.status > 299) throw problemOf(answer, what);
      return readAnswer(endpoint.response, answer, what);
    },
    stream(path, streamOptions = {}) {
      if (!path.startsWith("/")) throw new ProblemError("request.invalid", `not a path: ${path}`);
      return streamEvents(
        {
          connections,
          url: urlOf(pathOf(path, undefined, streamOptions.query)),
          headers,
          rule,
          onWait: options.onWait,
        },
        streamOptions,
      );
    },
    close: () => connections.close(),
  };
}

function headersFor({ token: given, traceparent: trace }: ClientOptions): Record<string, string> {
  const token = typeof given === "function" ? given() : given;
  const traceparent = trace?.();
  return {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}
