import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { ApiError, internal, notAcceptable, unauthorized } from "./api-error.ts";
import { discover } from "./discovery.ts";
import type { Fault, Faults } from "./faults.ts";
import type { Region } from "./region.ts";
import { type Exchange, serveObjects } from "./requests.ts";
import { send, sendError } from "./respond.ts";
import type { Watches } from "./watch.ts";

export type ServeOptions = {
  readonly region: Region;
  readonly watches: Watches;
  readonly faults: Faults | undefined;
  readonly mayEnter: (request: IncomingMessage) => boolean;
  /** host:port */
  readonly address: () => string;
};

/** What anybody may ask, as on a real server. */
const open = new Set(["/healthz", "/livez", "/readyz", "/version"]);

/** The listener of the server: every request is answered, whatever happens. */
export function listener(options: ServeOptions): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    // A client that leaves breaks its own connection only.
    response.on("error", () => undefined);
    void serve(options, request, response).catch((error: unknown) => fail(options, request, response, error));
  };
}

async function serve(options: ServeOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "https://region");
  const exchange: Exchange = { request, response, path: url.pathname, query: url.searchParams };
  const fault = options.faults?.take({ method: request.method ?? "", path: url.pathname, query: url.searchParams });
  if (fault === undefined) return route(options, exchange);
  return failOnPurpose(options, exchange, fault);
}

async function route({ region, watches, mayEnter, address }: ServeOptions, exchange: Exchange): Promise<void> {
  const { request, response, path } = exchange;
  if (!open.has(path) && !mayEnter(request)) throw unauthorized();
  if (path === "/healthz" || path === "/livez" || path === "/readyz") {
    const healthy = path === "/livez" || region.store.writable;
    response.writeHead(healthy ? 200 : 500, { "content-type": "text/plain" });
    response.end(healthy ? "ok" : "objects cannot be written");
    return;
  }
  const document = request.method === "GET" ? discover(path, address()) : undefined;
  if (document !== undefined) send(response, { code: 200, body: document });
  else if (!acceptsJson(request.headers.accept)) throw notAcceptable();
  else await serveObjects({ region, watches }, exchange);
}

function acceptsJson(accept = ""): boolean {
  return accept === "" || /application\/json|application\/\*|\*\/\*/.test(accept) || /text\/plain/.test(accept);
}

function fail({ region }: ServeOptions, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (!(error instanceof ApiError)) {
    const message = error instanceof Error ? error.message : String(error);
    region.log.error({ method: request.method, path: request.url?.split("?")[0], message }, "request failed");
  }
  if (response.headersSent || response.destroyed) response.destroy();
  else sendError(response, error instanceof ApiError ? error : internal("see the log of the region"));
}

async function failOnPurpose(options: ServeOptions, exchange: Exchange, fault: Fault): Promise<void> {
  const { response } = exchange;
  if (fault.kind === "answer") throw answerOf(fault.code, fault.retryAfterSeconds);
  if (fault.when === "before") {
    if (fault.kind === "drop") response.destroy();
    else {
      await pause(fault.ms);
      await route(options, exchange);
    }
    return;
  }
  holdBack(response, fault);
  await route(options, exchange);
}

/** The request takes hold; its answer is lost, or late. */
function holdBack(response: ServerResponse, fault: Fault & { readonly kind: "drop" | "delay" }): void {
  const end = response.end.bind(response);
  const held = (payload: unknown): ServerResponse => {
    if (fault.kind === "drop") return response.destroy();
    setTimeout(() => end(payload), fault.ms);
    return response;
  };
  Object.defineProperty(response, "end", { value: held });
}

function answerOf(code: 409 | 429 | 500 | 503, retryAfterSeconds: number | undefined): ApiError {
  const details = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  if (code === 409) return new ApiError(409, "Conflict", "the object has been modified; please try again", details);
  if (code === 429) return new ApiError(429, "TooManyRequests", "too many requests, please try again later", details);
  if (code === 503) return new ApiError(503, "ServiceUnavailable", "the server is currently unavailable", details);
  return new ApiError(500, "InternalError", "Internal error occurred: injected", details);
}
