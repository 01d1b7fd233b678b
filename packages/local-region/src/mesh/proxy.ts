import { Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type Choice, chooseBackend } from "./choose.ts";
import type { Counters, Unreached } from "./counters.ts";
import type { Backend, Endpoint, RouteTable } from "./routes.ts";

export type ProxyContext = {
  /** The routes of this moment. */
  table(): RouteTable;
  readonly counters: Counters;
  readonly random: () => number;
  readonly agent: Agent;
};

const answerTimeoutMs = 30_000;
const perHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const repeatable = new Set(["GET", "HEAD", "OPTIONS"]);

export function upstreamAgent(): Agent {
  return new Agent({ keepAlive: true, maxFreeSockets: 64, scheduling: "lifo" });
}

/** Answers one request: chooses a version, then one of its pods, and passes everything through as it comes. */
export function proxyRequest(context: ProxyContext, client: IncomingMessage, answer: ServerResponse): void {
  const { method = "GET", url = "/", headers } = client;
  const choice = chooseBackend(context.table(), { method, url, headers }, context.random());
  if (choice.kind === "none") {
    client.resume();
    refuse(answer, choice.why === "unknown_service" ? 404 : 503, choice.why);
    return;
  }
  new Exchange(context, choice, client, answer).begin();
}

type Chosen = Extract<Choice, { kind: "backend" }>;

const turns = new WeakMap<Backend, { next: number }>();

/** Endpoints in the order in which they are to be tried: round-robin over all, then others of the first one's version. */
export function endpointsInTurn(backend: Backend): readonly Endpoint[] {
  const { endpoints } = backend;
  if (endpoints.length === 0) return [];
  const turn = turns.get(backend) ?? { next: 0 };
  turns.set(backend, turn);
  const first = turn.next % endpoints.length;
  turn.next = first + 1;
  const ordered = [...endpoints.slice(first), ...endpoints.slice(0, first)];
  return ordered.filter((endpoint) => endpoint.version === ordered[0]?.version);
}

/** What is told of a request that no pod took. `asked`: the last pod that was. */
export function unreachedOf({ routes, backend }: Chosen, asked: Endpoint | undefined): Unreached {
  const own = `${routes.service}.${routes.namespace}.svc.cluster.local`;
  if (backend.host === null) return { flags: "NC", host: own };
  return { flags: asked === undefined ? "UH" : "UF", host: backend.host };
}

/** One request and its answer. Counted once, when the answer has ended, whatever was tried for it. */
class Exchange {
  readonly #context: ProxyContext;
  readonly #choice: Chosen;
  readonly #client: IncomingMessage;
  readonly #answer: ServerResponse;
  readonly #startedAt = performance.now();
  readonly #hasBody: boolean;
  readonly #waiting: Endpoint[];
  #endpoint: Endpoint | undefined;
  #upstream: ClientRequest | undefined;
  #code = 0;
  #unreached: Unreached | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: ProxyContext, choice: Chosen, client: IncomingMessage, answer: ServerResponse) {
    this.#context = context;
    this.#choice = choice;
    this.#client = client;
    this.#answer = answer;
    this.#waiting = [...endpointsInTurn(choice.backend)];
    const length = client.headers["content-length"];
    this.#hasBody = (length !== undefined && length !== "0") || client.headers["transfer-encoding"] !== undefined;
  }

  begin(): void {
    this.#answer.once("close", () => this.#end());
    this.#timer = setTimeout(() => this.#fail(504, "upstream_timeout"), answerTimeoutMs);
    this.#tryNext();
  }

  #tryNext(): void {
    const endpoint = this.#waiting.shift();
    if (endpoint === undefined) {
      this.#unreached = unreachedOf(this.#choice, this.#endpoint);
      this.#fail(503, this.#endpoint === undefined ? "no_ready_endpoint" : "upstream_unreachable");
      return;
    }
    this.#endpoint = endpoint;
    this.#send(endpoint);
  }

  #send(endpoint: Endpoint): void {
    const { method, url: path } = this.#client;
    const { host, port } = endpoint;
    const upstream = request({ host, port, method, path, agent: this.#context.agent, headers: this.#headers() });
    this.#upstream = upstream;
    upstream.once("response", (response) => this.#pass(response));
    upstream.on("error", (error: NodeJS.ErrnoException) => this.#broken(upstream, endpoint, error));
    if (!this.#hasBody) {
      upstream.end();
      return;
    }
    // The body waits for the connection: one that is refused has eaten nothing, and another pod may be asked.
    upstream.once("socket", (socket) => {
      if (socket.connecting) socket.once("connect", () => this.#client.pipe(upstream));
      else this.#client.pipe(upstream);
    });
  }

  #headers(): string[] {
    const raw = this.#client.rawHeaders;
    const headers: string[] = [];
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = raw[at] ?? "";
      const key = name.toLowerCase();
      if (!perHop.has(key) && key !== "expect") headers.push(name, raw[at + 1] ?? "");
    }
    if (this.#client.headers["transfer-encoding"] !== undefined) headers.push("transfer-encoding", "chunked");
    headers.push("x-forwarded-for", this.#client.socket.remoteAddress ?? "unknown", "x-forwarded-proto", "http");
    return headers;
  }

  #pass(response: IncomingMessage): void {
    clearTimeout(this.#timer);
    this.#code = response.statusCode ?? 502;
    const headers: string[] = [];
    const raw = response.rawHeaders;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = raw[at] ?? "";
      if (!perHop.has(name.toLowerCase())) headers.push(name, raw[at + 1] ?? "");
    }
    headers.push("x-slipway-version", this.#endpoint?.version ?? "");
    this.#answer.writeHead(this.#code, response.statusMessage ?? "", headers);
    response.once("error", () => {
      // Cut off in the middle: the client must see that, and a pod that does this fails.
      this.#code = 502;
      this.#answer.destroy();
    });
    response.pipe(this.#answer);
  }

  #broken(upstream: ClientRequest, endpoint: Endpoint, error: NodeJS.ErrnoException): void {
    if (this.#code !== 0 || this.#answer.destroyed) return;
    const refused = error.code === "ECONNREFUSED";
    // A kept connection that the pod closed just now: the request never reached it, or can be repeated without harm.
    const stale = upstream.reusedSocket && !this.#hasBody && repeatable.has(this.#client.method ?? "");
    if (stale) this.#waiting.push(endpoint);
    if (refused || stale) this.#tryNext();
    else this.#fail(503, "upstream_reset");
  }

  #fail(status: number, why: string): void {
    if (this.#code !== 0) return;
    this.#code = status;
    this.#upstream?.destroy();
    this.#client.unpipe().resume();
    refuse(this.#answer, status, why, this.#endpoint?.version ?? this.#choice.backend.version);
  }

  #end(): void {
    clearTimeout(this.#timer);
    if (!this.#answer.writableFinished) this.#upstream?.destroy();
    const { service, namespace } = this.#choice.routes;
    const { version, pod } = this.#endpoint ?? { version: this.#choice.backend.version, pod: "" };
    // 499 = the client left before there was an answer.
    const code = this.#code === 0 ? 499 : this.#code;
    const ms = performance.now() - this.#startedAt;
    const unreached = this.#unreached;
    this.#context.counters.observe({ service, namespace, version, pod, code, ms, unreached });
  }
}

const sentences: Readonly<Record<string, string>> = {
  unknown_service: "No service of this region has the name <service>.<environment> that the Host header begins with.",
  no_route: "No route of the service takes this request.",
  no_ready_endpoint: "The chosen version has no ready pod.",
  upstream_unreachable: "No pod of the chosen version accepts connections.",
  upstream_reset: "The pod broke off before it answered.",
  upstream_timeout: "The pod did not answer in time.",
};

function refuse(answer: ServerResponse, status: number, why: string, version?: string): void {
  const body = JSON.stringify({ type: "about:blank", status, code: `mesh.${why}`, title: sentences[why] ?? why });
  answer.writeHead(status, {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    "x-slipway-error": why,
    ...(version === undefined ? {} : { "x-slipway-version": version }),
  });
  answer.end(body);
}
