import { z } from "zod";
import { ApiStatus, RegionRejected, RegionUnavailable } from "./errors.ts";
import { hedged } from "./hedged.ts";
import { type Dispatcher, type Place, readWay } from "./kubeconfig.ts";
import { type TokenLife, tokenLifeOf } from "./token-life.ts";

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
  /**
   * Without an answer for so long it is sent once more, over a new connection: the one of before may be dead though nobody has said so. Only for what may
   * arrive twice, and late; its deadline stays the same.
   */
  readonly hedgeAfterMs?: number;
};

export type Connection = {
  readonly region: string;
  /** The parsed JSON answer. Throws ApiStatus for another answer than 2xx, RegionUnavailable when none came in time. */
  request(method: Method, path: string, options?: RequestOptions): Promise<unknown>;
  /** Lines of a streaming answer, until it ends or `signal` says so. */
  lines(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<AsyncIterable<string>>;
  close(): Promise<void>;
};

export type KnownConnection = Connection & {
  /** Of the token that requests carry, once one was made; undefined where it says nothing, or is renewed by what gives it. */
  tokenLife(): TokenLife | undefined;
};

export type ConnectOptions = Place & {
  readonly timeoutMs: number;
  /** After how long the kubeconfig is read again, beside the next request. Default 30 s. */
  readonly headersLifetimeMs?: number;
};

type Client = typeof import("./kubernetes-client.ts");
type Session = {
  readonly identity: string;
  readonly server: string;
  readonly dispatcher: Dispatcher;
  freshDispatcher(): Promise<Dispatcher>;
  readonly headers: Readonly<Record<string, string>>;
  readonly tokenLife: TokenLife | undefined;
  readonly since: number;
};

/** Tokens in a kubeconfig may expire: headers are asked for again after this long, beside the request that finds them old. */
const headersLifetimeMs = 30_000;

export async function connect(options: ConnectOptions): Promise<KnownConnection> {
  // 70 MB and half a second where it is not bundled: only a process that talks to a region pays for it.
  return new ClusterConnection(await import("./kubernetes-client.ts"), options);
}

class ClusterConnection implements KnownConnection {
  readonly region: string;
  readonly #client: Client;
  readonly #options: ConnectOptions;
  readonly #http: ReturnType<Client["createConfiguration"]>["httpApi"];
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;

  constructor(client: Client, options: ConnectOptions) {
    this.region = options.region;
    this.#client = client;
    this.#options = options;
    this.#http = client.createConfiguration().httpApi;
  }

  async request(method: Method, path: string, request: RequestOptions = {}): Promise<unknown> {
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs;
    const answer = await this.#exchange(method, path, request, timeoutMs);
    if (answer.code < 300) return parseJson(answer.text);
    if (answer.code === 401) this.#expire();
    throw statusOf(answer.code, answer.headers, answer.text);
  }

  async lines(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal) {
    const opening = new AbortController();
    const timer = setTimeout(
      () => opening.abort(new DOMException("no answer", "TimeoutError")),
      this.#options.timeoutMs,
    );
    try {
      const either = AbortSignal.any([signal, opening.signal]);
      const response = await this.#send("GET", path, { query }, either, await this.#current());
      if (response.httpStatusCode < 300) return linesOf(response.body.stream());
      throw statusOf(response.httpStatusCode, response.headers, await response.body.text());
    } catch (error) {
      if (error instanceof ApiStatus || error instanceof RegionRejected) throw error;
      this.#expire();
      throw unavailable(this.region, `watch of ${path}`, this.#options.timeoutMs, error);
    } finally {
      clearTimeout(timer);
    }
  }

  tokenLife(): TokenLife | undefined {
    return this.#session?.tokenLife;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#session?.dispatcher?.destroy();
  }

  async #exchange(method: Method, path: string, request: RequestOptions, timeoutMs: number) {
    const deadline = AbortSignal.timeout(timeoutMs);
    const ask = async (session: Session, stop?: AbortSignal) => {
      const signal = stop === undefined ? deadline : AbortSignal.any([deadline, stop]);
      const response = await this.#send(method, path, request, signal, session);
      return { code: response.httpStatusCode, headers: response.headers, text: await response.body.text() };
    };
    try {
      const session = await this.#current();
      if (request.hedgeAfterMs === undefined) return await ask(session);
      return await hedged(
        request.hedgeAfterMs,
        (stop) => ask(session, stop),
        (stop) => this.#afresh(session, deadline, (fresh) => ask(fresh, stop)),
      );
    } catch (error) {
      if (error instanceof RegionRejected || error instanceof RegionUnavailable) throw error;
      this.#expire();
      throw unavailable(this.region, `${method} ${path}`, timeoutMs, error);
    }
  }

  /** Over new connections. Who answers there has the others given up: they may all be as dead; what is under way on them may end. */
  async #afresh<T>(session: Session, deadline: AbortSignal, ask: (fresh: Session) => Promise<T>): Promise<T> {
    // A program of the kubeconfig may be asked for credentials, for as long as it likes.
    const dispatcher = await orAborted(session.freshDispatcher(), deadline);
    let kept = false;
    try {
      const answer = await ask({ ...session, dispatcher });
      kept = this.#session?.dispatcher === session.dispatcher;
      if (this.#session !== undefined && kept) {
        this.#session = { ...this.#session, dispatcher };
        session.dispatcher?.close().catch(() => undefined);
      }
      return answer;
    } finally {
      if (!kept) dispatcher?.destroy().catch(() => undefined);
    }
  }

  async #send(method: Method, path: string, request: RequestOptions, signal: AbortSignal, session: Session) {
    const { server, dispatcher, headers } = session;
    const query = new URLSearchParams(request.query).toString();
    const context = new this.#client.RequestContext(`${server}${path}${query === "" ? "" : `?${query}`}`, method);
    for (const [name, value] of Object.entries(headers)) context.setHeaderParam(name, value);
    context.setHeaderParam("Accept", "application/json");
    if (request.body !== undefined) {
      context.setHeaderParam("Content-Type", request.contentType ?? "application/json");
      context.setBody(JSON.stringify(request.body));
    }
    if (dispatcher !== undefined) context.setDispatcher(dispatcher);
    context.setSignal(AbortSignal.any([signal, this.#closing.signal]));
    return this.#http.send(context).toPromise();
  }

  /** A request does not wait for newer headers: those it has are good, or the region says that they are not, and they are asked for before the next. */
  async #current(): Promise<Session> {
    const age = performance.now() - (this.#session?.since ?? Number.NEGATIVE_INFINITY);
    if (age <= (this.#options.headersLifetimeMs ?? headersLifetimeMs) && this.#session !== undefined)
      return this.#session;
    this.#opening ??= openSession(this.#client, this.#options)
      .then((opened) => this.#take(opened))
      .finally(() => {
        this.#opening = undefined;
      });
    if (this.#session === undefined || age === Number.POSITIVE_INFINITY) return this.#opening;
    this.#opening.catch(() => this.#expire());
    return this.#session;
  }

  /** The agent with its open connections stays unless the kubeconfig, or a file that it names, has changed: the one of this moment, which may be another than when it was read. */
  #take(opened: Session): Session {
    const last = this.#session;
    const same = last?.identity === opened.identity;
    if (!same) last?.dispatcher?.close().catch(() => undefined);
    this.#session = same ? { ...opened, dispatcher: last.dispatcher } : opened;
    return this.#session;
  }

  /** A region that came back may have moved, a token may have been renewed: the kubeconfig is read again, before the next request. */
  #expire(): void {
    if (this.#session !== undefined) this.#session = { ...this.#session, since: Number.NEGATIVE_INFINITY };
  }
}

async function openSession(client: Client, options: ConnectOptions): Promise<Session> {
  const { probe, renewed, ...way } = await readWay(client, options);
  const headers = probe.getHeaders();
  const tokenLife = renewed ? undefined : tokenLifeOf(headers);
  return { ...way, headers, tokenLife, dispatcher: probe.getDispatcher(), since: performance.now() };
}

/** What comes, or the signal's reason where that was aborted first. */
function orAborted<T>(coming: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const reject = () => aborted.reject(signal.reason);
  if (signal.aborted) reject();
  signal.addEventListener("abort", reject, { once: true });
  return Promise.race([coming, aborted.promise]);
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

const longestLine = 8 * 1_048_576;

async function* linesOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body ?? []) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((line) => line !== "");
    // What a program prints may never have an end of line.
    if (rest.length < longestLine) continue;
    yield rest;
    rest = "";
  }
  if (rest !== "") yield rest;
}
