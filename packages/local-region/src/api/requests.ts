import type { IncomingMessage, ServerResponse } from "node:http";
import { badRequest, methodNotAllowed, noSuchPath, notFound } from "./api-error.ts";
import { create } from "./create.ts";
import { readDeleteOptions, remove } from "./delete.ts";
import { readPatch, refuseApply } from "./patch.ts";
import { sendPodLog } from "./pod-log.ts";
import { list, listDocument, matcherOf, versionOf } from "./read.ts";
import type { Place, Region } from "./region.ts";
import { pods, type Resource } from "./resources.ts";
import { type Answer, readBody, send } from "./respond.ts";
import { type Target, targetOf } from "./route.ts";
import { scaleOf, withScale } from "./scale.ts";
import { keyOf, type Stored } from "./stored.ts";
import { type IncludeObject, tableOf, wantsTable } from "./table.ts";
import { update } from "./update.ts";
import type { Watches } from "./watch.ts";

export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
};

type Context = { readonly region: Region; readonly watches: Watches };
type Call = Exchange & Context & { readonly target: Target };

/** Serves one request for objects. Answers it, or throws ApiError before anything was sent. */
export async function serveObjects(context: Context, exchange: Exchange): Promise<void> {
  const call: Call = { ...context, ...exchange, target: targetOf(exchange.path) };
  const { request, response, query, target } = call;
  if (target.subresource === "log") {
    if (request.method !== "GET") throw methodNotAllowed();
    await sendPodLog(call.region, stored(call), query, exchange);
  } else if (request.method === "GET" && isTrue(query.get("watch"))) watch(call);
  else send(response, await answer(call));
}

async function answer(call: Call): Promise<Answer> {
  const { request, target } = call;
  const { method } = request;
  if (target.name === undefined) {
    if (method === "GET") return listAnswer(call);
    if (method === "POST") return createAnswer(call);
    if (method === "DELETE") return deleteAll(call);
    throw methodNotAllowed();
  }
  if (method === "GET") return { code: 200, body: view(call, stored(call)) };
  if (method === "PUT" || method === "PATCH") return updateAnswer(call);
  if (method === "DELETE" && target.subresource === undefined) return deleteOne(call);
  throw methodNotAllowed();
}

function listAnswer(call: Call): Answer {
  const { target, region, query } = call;
  const listing = list(region, target.resource, target.namespace, query);
  if (!wantsTable(acceptOf(call))) return { code: 200, body: listDocument(target.resource, listing) };
  return { code: 200, body: table(call, listing.items, listing.resourceVersion) };
}

async function createAnswer({ region, target, query, request }: Call): Promise<Answer> {
  const { resource, namespace } = target;
  if (resource.namespaced && namespace === undefined) throw methodNotAllowed();
  const body = await readBody(request);
  const { object, written } = create(region, { resource, namespace, body, dryRun: isDryRun(query) });
  await written;
  return { code: 201, body: object };
}

async function updateAnswer(call: Call): Promise<Answer> {
  const { region, target, query, request } = call;
  const place = placeOf(target);
  if (request.method === "PATCH") refuseApply(request.headers["content-type"]);
  const body = await readBody(request);
  const patch =
    request.method === "PATCH"
      ? readPatch(place.resource, request.headers["content-type"] ?? "", body)
      : (_current: unknown) => body;
  const scaled = target.subresource === "scale";
  const { object, written } = update(region, {
    ...place,
    part: target.subresource === "status" ? "status" : "whole",
    propose: (current) => (scaled ? withScale(place.resource, current, patch(scaleOf(current))) : patch(current)),
    mustSayVersion: request.method === "PUT",
    dryRun: isDryRun(query),
  });
  await written;
  return { code: 200, body: view(call, object) };
}

async function deleteOne({ region, target, query, request }: Call): Promise<Answer> {
  const place = placeOf(target);
  const options = readDeleteOptions(await readBody(request), query);
  const dryRun = isDryRun(query) ? { dryRun: ["All"] } : {};
  const { object, written, gone } = remove(region, place, { ...options, ...dryRun });
  await written;
  if (!gone || place.resource === pods) return { code: 200, body: object };
  return { code: 200, body: deleted(place.resource, object) };
}

async function deleteAll({ region, target, query, request }: Call): Promise<Answer> {
  const { resource, namespace } = target;
  if (resource.namespaced && namespace === undefined) throw methodNotAllowed();
  const options = readDeleteOptions(await readBody(request), query);
  const matches = matcherOf(resource, query);
  const found = region.store.listLatest(resource, namespace).filter(matches);
  const items = found.map(({ metadata }) => remove(region, { resource, namespace, name: metadata.name }, options));
  await Promise.all(items.map(({ written }) => written));
  const resourceVersion = String(region.store.revision);
  return { code: 200, body: listDocument(resource, { items: items.map(({ object }) => object), resourceVersion }) };
}

/** What the real server answers for an object that is gone at once. */
function deleted({ group, plural }: Resource, { metadata }: Stored): object {
  const details = { name: metadata.name, ...(group === "" ? {} : { group }), kind: plural, uid: metadata.uid };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

function watch(call: Call): void {
  const { watches, target, query, response } = call;
  const { resource, namespace } = target;
  if (target.subresource !== undefined) throw noSuchPath();
  const initialEvents = isTrue(query.get("sendInitialEvents"));
  const rows = wantsTable(acceptOf(call));
  watches.serve(
    {
      resource,
      namespace,
      matches: matcherOf(resource, query, target.name),
      from: initialEvents ? 0 : versionOf(query),
      bookmarks: isTrue(query.get("allowWatchBookmarks")),
      initialEvents,
      timeoutMs: watchTimeoutMs(query),
      render: (object) => (rows ? table(call, [object], object.metadata.resourceVersion) : object),
    },
    response,
  );
}

/** Half an hour at most, and as default: clients open the next one. */
function watchTimeoutMs(query: URLSearchParams): number {
  const asked = Number(query.get("timeoutSeconds") ?? 1_800);
  if (!Number.isFinite(asked) || asked < 0) throw badRequest("timeoutSeconds must be a number of at least 0");
  return (asked === 0 ? 1_800 : Math.min(asked, 1_800)) * 1_000;
}

function view(call: Call, object: Stored): unknown {
  if (call.target.subresource === "scale") return scaleOf(object);
  return wantsTable(acceptOf(call)) ? table(call, [object], object.metadata.resourceVersion) : object;
}

function table({ target, region, query }: Call, objects: readonly Stored[], resourceVersion: string): object {
  const now = Date.parse(region.clock.now());
  return tableOf(target.resource, objects, { include: includeOf(query), resourceVersion, now });
}

function includeOf(query: URLSearchParams): IncludeObject {
  const asked = query.get("includeObject") ?? "Metadata";
  if (asked === "None" || asked === "Metadata" || asked === "Object") return asked;
  throw badRequest(`unrecognized includeObject value: ${asked}`);
}

/** The durable object. Throws ApiError 404. */
function stored({ region, target }: Call): Stored {
  const place = placeOf(target);
  const object = region.store.get(place.resource, keyOf(place));
  if (object === undefined) throw notFound(place.resource, place.name);
  return object;
}

function placeOf({ resource, namespace, name }: Target): Place {
  if (name === undefined) throw methodNotAllowed();
  return { resource, namespace, name };
}

function acceptOf({ request }: Call): string {
  return request.headers.accept ?? "";
}

function isDryRun(query: URLSearchParams): boolean {
  return query.getAll("dryRun").includes("All");
}

function isTrue(text: string | null): boolean {
  return text === "true" || text === "1";
}
