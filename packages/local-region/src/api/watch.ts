import type { ServerResponse } from "node:http";
import { expired } from "./api-error.ts";
import type { StoreEvent } from "./history.ts";
import { apiVersionOf, idOf, type Resource } from "./resources.ts";
import type { Matcher } from "./selectors.ts";
import type { Store } from "./store.ts";
import type { Stored } from "./stored.ts";

export type WatchRequest = {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly matches: Matcher;
  /** Undefined or 0 = first everything there is, then changes. */
  readonly from: number | undefined;
  readonly bookmarks: boolean;
  /** Asks for a bookmark after the first objects, marked as their end. */
  readonly initialEvents: boolean;
  readonly timeoutMs: number;
  /** How an object is shown: as it is, or as a row of a table. */
  readonly render: (object: Stored) => unknown;
};

type WatchEvent = { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: Stored };

/** A client that does not read must not fill our memory: it is cut off and goes on from where it was. */
const mostUnsentBytes = 16 * 1_048_576;
const bookmarkEveryMs = 30_000;

/** All open watches of a server: one timer for their bookmarks. */
export class Watches {
  readonly #store: Store;
  readonly #open = new Map<ServerResponse, WatchRequest>();
  readonly #timer: NodeJS.Timeout;

  constructor(store: Store) {
    this.#store = store;
    this.#timer = setInterval(() => this.#bookmarkAll(), bookmarkEveryMs);
    this.#timer.unref();
  }

  /** Answers until the time is over or the client leaves. Throws ApiError 410 before anything was sent. */
  serve(request: WatchRequest, response: ServerResponse): void {
    const first = this.#first(request);
    response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
    response.flushHeaders();
    for (const event of first) send(response, event.type, request.render(event.object));
    if (request.initialEvents) this.#bookmark(response, request, true);
    const end = this.#store.onChange((event) => this.#deliver(request, response, event));
    this.#open.set(response, request);
    const timer = setTimeout(() => this.#finish(response, request), request.timeoutMs);
    timer.unref();
    response.once("close", () => {
      clearTimeout(timer);
      end();
      this.#open.delete(response);
    });
  }

  /** Cuts all connections, as a server that dies does. */
  cut(): void {
    for (const response of this.#open.keys()) response.destroy();
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const [response, request] of this.#open) this.#finish(response, request);
  }

  #first(request: WatchRequest): WatchEvent[] {
    const { resource, namespace, from, matches } = request;
    if (from === undefined || from === 0) {
      const objects = this.#store.list(resource, namespace).filter(matches);
      return objects.map((object) => ({ type: "ADDED", object }));
    }
    const past = from > this.#store.revision ? undefined : this.#store.since(from, resource);
    // A revision that was never given is from another life of this region: list anew, too.
    if (past === undefined) throw expired(from, this.#store.oldest);
    return past.flatMap((event) => seenBy(request, event) ?? []);
  }

  #deliver(request: WatchRequest, response: ServerResponse, event: StoreEvent): void {
    const seen = seenBy(request, event);
    if (seen === undefined) return;
    send(response, seen.type, request.render(seen.object));
    if (response.writableLength > mostUnsentBytes) response.destroy();
  }

  #bookmarkAll(): void {
    for (const [response, request] of this.#open) if (request.bookmarks) this.#bookmark(response, request, false);
  }

  #bookmark(response: ServerResponse, { resource }: WatchRequest, endOfFirst: boolean): void {
    const metadata = {
      resourceVersion: String(this.#store.revision),
      creationTimestamp: null,
      ...(endOfFirst ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
    };
    send(response, "BOOKMARK", { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata });
  }

  #finish(response: ServerResponse, request: WatchRequest): void {
    if (request.bookmarks) this.#bookmark(response, request, false);
    response.end();
  }
}

/** What a change is to a watch whose selector may begin or cease to match. */
function seenBy({ resource, namespace, matches }: WatchRequest, event: StoreEvent): WatchEvent | undefined {
  const { object, previous } = event;
  if (event.resource !== idOf(resource)) return undefined;
  if (namespace !== undefined && object.metadata.namespace !== namespace) return undefined;
  const before = previous !== undefined && matches(previous);
  const now = event.type === "put" && matches(object);
  if (now) return { type: before ? "MODIFIED" : "ADDED", object };
  if (!before) return undefined;
  // As it was when it last matched, with the revision of the change.
  const { resourceVersion } = object.metadata;
  return { type: "DELETED", object: event.type === "remove" ? object : moved(previous, resourceVersion) };
}

function moved(object: Stored, resourceVersion: string): Stored {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

function send(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}
