import { noSuchPath } from "./api-error.ts";
import { type Resource, resourceAt } from "./resources.ts";

type Subresource = "status" | "scale" | "log";

/** What a path of the API points at. */
export type Target = {
  readonly resource: Resource;
  /** Undefined for cluster-wide resources and for lists over all namespaces. */
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: Subresource | undefined;
};

/** Reads `/api/v1/…` and `/apis/<group>/<version>/…`. Throws ApiError 404 for what is not served. */
export function targetOf(path: string): Target {
  const parts = path
    .split("/")
    .filter((part) => part !== "")
    .map(decode);
  const [root] = parts;
  if (root !== "api" && root !== "apis") throw noSuchPath();
  const apiVersion = root === "api" ? String(parts[1]) : `${parts[1]}/${parts[2]}`;
  const rest = parts.slice(root === "api" ? 2 : 3);
  const isNested = rest[0] === "namespaces" && rest.length > 2 && resourceAt(apiVersion, rest[2] ?? "") !== undefined;
  const namespace = isNested ? rest[1] : undefined;
  const [plural = "", name, subresource, ...more] = isNested ? rest.slice(2) : rest;
  const resource = resourceAt(apiVersion, plural);
  if (resource === undefined || more.length > 0 || !fits(resource, namespace, name)) throw noSuchPath();
  return { resource, namespace, name, subresource: subresourceOf(resource, subresource) };
}

/** A namespaced object has a namespace in its path; lists need none. */
function fits(resource: Resource, namespace: string | undefined, name: string | undefined): boolean {
  if (!resource.namespaced) return namespace === undefined;
  return namespace !== undefined || name === undefined;
}

function subresourceOf(resource: Resource, name: string | undefined): Subresource | undefined {
  if (name === undefined) return undefined;
  if (name === "status" && resource.status) return name;
  if (name === "scale" && resource.scale) return name;
  if (name === "log" && resource.kind === "Pod") return name;
  throw noSuchPath();
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw noSuchPath();
  }
}
