import { badRequest, expired, versionFromTheFuture } from "./api-error.ts";
import type { Region } from "./region.ts";
import { apiVersionOf, type Resource } from "./resources.ts";
import { fieldMatcher, labelMatcher, type Matcher } from "./selectors.ts";
import type { Stored } from "./stored.ts";

/** The selectors of a list, watch or collection delete, as one condition. Throws ApiError 400. */
export function matcherOf(resource: Resource, query: URLSearchParams, name?: string): Matcher {
  const labels = labelMatcher(query.get("labelSelector") ?? "");
  const fields = fieldMatcher(resource, query.get("fieldSelector") ?? "");
  return (object) => (name === undefined || object.metadata.name === name) && labels(object) && fields(object);
}

export type Listing = { readonly items: readonly Stored[]; readonly resourceVersion: string };

/** What is there now. `limit` is not needed: a list is complete, and says so by having no `continue`. */
export function list(
  { store }: Region,
  resource: Resource,
  namespace: string | undefined,
  query: URLSearchParams,
): Listing {
  const asked = versionOf(query);
  if (asked !== undefined && asked > store.revision) throw versionFromTheFuture(asked, store.revision);
  if (query.get("resourceVersionMatch") === "Exact" && asked !== undefined && asked !== store.revision) {
    throw expired(asked, store.revision);
  }
  const matches = matcherOf(resource, query);
  return { items: store.list(resource, namespace).filter(matches), resourceVersion: String(store.revision) };
}

export function listDocument(resource: Resource, { items, resourceVersion }: Listing): object {
  return {
    kind: `${resource.kind}${resource.kind.endsWith("List") ? "" : "List"}`,
    apiVersion: apiVersionOf(resource),
    metadata: { resourceVersion },
    items,
  };
}

/** `resourceVersion` of a query as a number; undefined where there is none. Throws ApiError 400. */
export function versionOf(query: URLSearchParams): number | undefined {
  const text = query.get("resourceVersion") ?? "";
  if (text === "") return undefined;
  const version = Number(text);
  if (!Number.isSafeInteger(version) || version < 0) throw badRequest(`invalid resource version: ${text}`);
  return version;
}
