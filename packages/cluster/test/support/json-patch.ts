import { isDeepStrictEqual } from "node:util";
import type { PatchOperation } from "../../src/json-patch.ts";

/** RFC 6902 as an API server applies it: all operations or none. Throws when a `test` fails or a path is missing. */
export function applyPatch<T>(document: T, patch: readonly PatchOperation[]): T {
  const copy = structuredClone(document);
  for (const operation of patch) apply(copy, operation);
  return copy;
}

function apply(document: unknown, operation: PatchOperation): void {
  const segments = operation.path
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = segments.pop() ?? "";
  let parent = document;
  for (const segment of segments) parent = child(parent, segment, operation.path);
  if (Array.isArray(parent)) applyToArray(parent, last, operation);
  else applyToObject(parent, last, operation);
}

function child(parent: unknown, segment: string, path: string): unknown {
  if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, segment)) {
    throw new Error(`missing path ${path}`);
  }
  return (parent as Record<string, unknown>)[segment];
}

function applyToArray(parent: unknown[], last: string, operation: PatchOperation): void {
  const index = last === "-" ? parent.length : Number(last);
  const exists = index < parent.length;
  if (operation.op === "add" && index <= parent.length) parent.splice(index, 0, structuredClone(operation.value));
  else if (operation.op === "remove" && exists) parent.splice(index, 1);
  else if (operation.op === "replace" && exists) parent[index] = structuredClone(operation.value);
  else if (!(operation.op === "test" && exists && isDeepStrictEqual(parent[index], operation.value))) {
    throw new Error(`${operation.op} failed at ${operation.path}`);
  }
}

function applyToObject(parent: unknown, last: string, operation: PatchOperation): void {
  if (typeof parent !== "object" || parent === null) throw new Error(`missing path ${operation.path}`);
  const object = parent as Record<string, unknown>;
  const exists = Object.hasOwn(object, last);
  if (operation.op === "add" || (operation.op === "replace" && exists)) object[last] = structuredClone(operation.value);
  else if (operation.op === "remove" && exists) delete object[last];
  else if (!(operation.op === "test" && exists && isDeepStrictEqual(object[last], operation.value))) {
    throw new Error(`${operation.op} failed at ${operation.path}`);
  }
}
