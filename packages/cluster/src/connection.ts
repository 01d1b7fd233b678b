import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { RequestContext } from "@kubernetes/client-node";
import { z } from "zod";
import { ApiStatus, isStatus, RegionRejected, RegionUnavailable } from "./errors.ts";

/**
 * Requests to one cluster's API over @kubernetes/client-node: its kubeconfig, authentication and HTTP library, with what
 * they lack: one keep-alive agent for all calls (it makes one per call), a deadline on each request, and raw JSON in
 * both directions (its typed models drop fields that they do not know).
 */
export type Method = "GET" | "POST" | "PATCH" | "DELETE";

export type RequestOptions = {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly timeoutMs?: number;
};

export type Connection = {
  readonly region: string;
  /** The parsed JSON answer. Throws ApiStatus for another answer than 2xx, RegionUnavailable when none came in time. */
  request(method: Method, path: string, options?: RequestOptions): Promise<unknown>;
  /** Lines of a streaming answer, until it ends or `signal` says so. */
  lines(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<AsyncIterable<string>>;
  close(): Promise<void>;
};

export type ConnectOptions = {
  readonly region: string;
  readonly kubeconfig: string;
  readonly context: string;
  readonly timeoutMs: number;
};

type Client = typeof import("@kubernetes/client-node");
type Session = {
  readonly text: string;
  readonly server: string;
  readonly dispatcher: ReturnType<RequestContext["getDispatcher"]>;
  readonly headers: Readonly<Record<string, string>>;
  readonly since: number;
};

/** Tokens in a kubeconfig may expire: headers are asked for again after this long. */
const headersLifetimeMs = 30_000;

export async function connect(options: ConnectOptions): Promise<Connection> {
  // 70 MB and half a second: only a process that talks to a region pays for it.
  const client = await import("@kubernetes/client-node");
  const { httpApi } = client.createConfiguration();
  const { region } = options;
  const closing = new AbortController();
  let session: Session | undefined;

  async function current(): Promise<Session> {
    if (session === undefined || performance.now() - session.since > headersLifetimeMs) {
      session = await openSession(client, options, session);
    }
    return session;
  }

  async function send(method: Method, path: string, request: RequestOptions, signal: AbortSignal) {
    const { server, dispatcher, headers } = await current();
    const query = new URLSearchParams(request.query).toString();
    const context = new client.RequestContext(`${server}${path}${query === "" ? "" : `?${query}`}`, method);
    for (const [name, value] of Object.entries(headers)) context.setHeaderParam(name, value);
    context.setHeaderParam("Accept", "application/json");
    if (request.body !== undefined) {
      context.setHeaderParam("Content-Type", request.contentType ?? "application/json");
      context.setBody(JSON.stringify(request.body));
    }
    if (dispatcher !== undefined) context.setDispatcher(dispatcher);
    context.setSignal(AbortSignal.any([signal, closing.signal]));
    return httpApi.send(context).toPromise();
  }

  async function request(method: Method, path: string, asked: RequestOptions = {}): Promise<unknown> {
    const timeoutMs = asked.timeoutMs ?? options.timeoutMs;
    try {
      const response = await send(method, path, asked, AbortSignal.timeout(timeoutMs));
      const text = await response.body.text();
      if (response.httpStatusCode < 300) return JSON.parse(text);
      throw statusOf(response.httpStatusCode, response.headers, text);
    } catch (error) {
      if (error instanceof RegionRejected) throw error;
      if (error instanceof ApiStatus) {
        if (error.status === 401) session = undefined;
        throw error;
      }
      // A region that came back may have moved: its kubeconfig is read again.
      if (session !== undefined) session = { ...session, since: Number.NEGATIVE_INFINITY };
      throw unavailable(region, `${method} ${path}`, timeoutMs, error);
    }
  }

  return {
    region,
    request,
    async lines(path, query, signal) {
      const opening = AbortSignal.timeout(options.timeoutMs);
      const stopped = new AbortController();
      const stop = () => stopped.abort();
      for (const each of [signal, opening]) each.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      const response = await send("GET", path, { query }, stopped.signal).finally(() =>
        opening.removeEventListener("abort", stop),
      );
      if (response.httpStatusCode >= 300) {
        throw statusOf(response.httpStatusCode, response.headers, await response.body.text());
      }
      return linesOf(response.body.stream());
    },
    async close() {
      closing.abort();
      await session?.dispatcher?.destroy();
    },
  };
}

/** Reads the kubeconfig again; the agent with its open connections stays unless the file has changed. */
async function openSession(client: Client, options: ConnectOptions, last: Session | undefined): Promise<Session> {
  const { region, kubeconfig, context } = options;
  const text = await readFile(kubeconfig, "utf8").catch((cause: unknown) => {
    throw new RegionUnavailable(region, `the kubeconfig ${kubeconfig} cannot be read`, { cause });
  });
  const config = new client.KubeConfig();
  config.loadFromString(text);
  config.makePathsAbsolute(dirname(kubeconfig));
  config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new RegionRejected(region, `the kubeconfig ${kubeconfig} has no context ${context}`);
  const server = cluster.server.replace(/\/$/, "");
  const probe = new client.RequestContext(server, "GET");
  await config.applySecurityAuthentication(probe);
  const same = last?.text === text;
  if (!same) void last?.dispatcher?.close();
  return {
    text,
    server,
    headers: probe.getHeaders(),
    dispatcher: same ? last.dispatcher : probe.getDispatcher(),
    since: performance.now(),
  };
}

const Status = z.looseObject({ reason: z.string().optional(), message: z.string().optional() });

function statusOf(code: number, headers: Readonly<Record<string, string>>, text: string): ApiStatus {
  const seconds = Number(headers["retry-after"] ?? Number.NaN);
  const parsed = Status.safeParse(parseJson(text));
  const reason = (parsed.success ? parsed.data.reason : undefined) ?? "Unknown";
  const message = (parsed.success ? parsed.data.message : undefined) ?? text.slice(0, 200);
  return new ApiStatus(code, reason, message, Number.isFinite(seconds) ? seconds * 1_000 : null);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unavailable(region: string, what: string, timeoutMs: number, cause: unknown): RegionUnavailable {
  const timedOut = cause instanceof Error && cause.name === "TimeoutError";
  return new RegionUnavailable(region, timedOut ? `${what}: no answer in ${timeoutMs} ms` : `${what} failed`, {
    cause,
  });
}

async function* linesOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body ?? []) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((line) => line !== "");
  }
  if (rest !== "") yield rest;
}

/** What a write came to. `uncertain`: it may have taken hold, only a read can tell. */
export type WriteOutcome =
  | { readonly kind: "written"; readonly object: unknown }
  | { readonly kind: "conflict"; readonly cause: ApiStatus }
  | { readonly kind: "uncertain"; readonly cause: Error };

/** A write whose failure is an answer. Throws RegionRejected only for what no second attempt mends. */
export async function write(
  connection: Connection,
  method: Method,
  path: string,
  options: RequestOptions,
): Promise<WriteOutcome> {
  try {
    return { kind: "written", object: await connection.request(method, path, options) };
  } catch (error) {
    if (error instanceof RegionUnavailable) return { kind: "uncertain", cause: error };
    if (isStatus(error, 404, 409, 422)) return { kind: "conflict", cause: error };
    if (error instanceof ApiStatus && (error.status === 401 || error.status === 429 || error.status >= 500)) {
      return { kind: "uncertain", cause: error };
    }
    throw rejected(connection.region, error);
  }
}

/** An object, or null where there is none. Asks again, a few times, where the region says "not now". */
export async function read(connection: Connection, path: string, options: RequestOptions = {}): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connection.request("GET", path, options);
    } catch (error) {
      if (isStatus(error, 404)) return null;
      const again = error instanceof ApiStatus && [401, 429, 500, 503].includes(error.status);
      if (!again) throw rejected(connection.region, error);
      if (attempt === 3) throw new RegionUnavailable(connection.region, error.message, { cause: error });
      await pause(Math.min(error.retryAfterMs ?? 20 * attempt, 250));
    }
  }
}

function rejected(region: string, error: unknown): Error {
  if (error instanceof ApiStatus) {
    return new RegionRejected(region, `${error.message} (${error.status} ${error.reason})`, {
      status: error.status,
      cause: error,
    });
  }
  return error instanceof Error ? error : new Error(String(error));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
