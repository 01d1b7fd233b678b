import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

const Pointer = z.string().regex(/^(\/.*)?$/s);

export const JsonPatch = z.array(
  z.discriminatedUnion("op", [
    z.object({ op: z.literal("add"), path: Pointer, value: z.unknown() }),
    z.object({ op: z.literal("replace"), path: Pointer, value: z.unknown() }),
    z.object({ op: z.literal("test"), path: Pointer, value: z.unknown() }),
    z.object({ op: z.literal("remove"), path: Pointer }),
    z.object({ op: z.literal("move"), path: Pointer, from: Pointer }),
    z.object({ op: z.literal("copy"), path: Pointer, from: Pointer }),
  ]),
);
export type JsonPatch = z.infer<typeof JsonPatch>;

/** A `test` failed or a path leads nowhere. Nothing was changed. */
export class PatchFailed extends Error {}

type Holder = { root: unknown };

/** RFC 6902 on a copy: all operations or none. Throws PatchFailed. */
export function applyJsonPatch(document: unknown, patch: JsonPatch): unknown {
  const holder: Holder = { root: structuredClone(document) };
  for (const operation of patch) apply(holder, operation);
  return holder.root;
}

function apply(holder: Holder, operation: JsonPatch[number]): void {
  const { path } = operation;
  if (operation.op === "remove") remove(holder, path);
  else if (operation.op === "move") transfer(holder, "move", operation.from, path);
  else if (operation.op === "copy") transfer(holder, "copy", operation.from, path);
  else if (operation.op === "add") add(holder, path, structuredClone(operation.value));
  else if (operation.op === "replace") replace(holder, path, structuredClone(operation.value));
  else if (!isDeepStrictEqual(read(holder, path), operation.value)) throw new PatchFailed("test failed");
}

function transfer(holder: Holder, op: "move" | "copy", from: string, path: string): void {
  const value = structuredClone(read(holder, from));
  if (op === "move") {
    if (path.startsWith(`${from}/`)) throw new PatchFailed("a value cannot move into itself");
    remove(holder, from);
  }
  add(holder, path, value);
}

function segmentsOf(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function read({ root }: Holder, path: string): unknown {
  let at = root;
  for (const segment of segmentsOf(path)) at = child(at, segment);
  return at;
}

function child(parent: unknown, segment: string): unknown {
  if (Array.isArray(parent)) return parent[indexOf(segment, parent.length - 1)];
  if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, segment)) {
    throw new PatchFailed(`there is no ${segment}`);
  }
  return (parent as Record<string, unknown>)[segment];
}

function indexOf(segment: string, last: number): number {
  if (!/^(0|[1-9]\d*)$/.test(segment) || Number(segment) > last) throw new PatchFailed(`there is no index ${segment}`);
  return Number(segment);
}

/** The container of a path's last segment. Undefined for the whole document. */
function parentOf(holder: Holder, path: string): { parent: unknown; last: string } | undefined {
  const segments = segmentsOf(path);
  const last = segments.pop();
  if (last === undefined) return undefined;
  return { parent: segments.reduce(child, holder.root), last };
}

function add(holder: Holder, path: string, value: unknown): void {
  const place = parentOf(holder, path);
  if (place === undefined) holder.root = value;
  else if (Array.isArray(place.parent)) {
    const { parent, last } = place;
    parent.splice(last === "-" ? parent.length : indexOf(last, parent.length), 0, value);
  } else set(place.parent, place.last, value);
}

function replace(holder: Holder, path: string, value: unknown): void {
  const place = parentOf(holder, path);
  if (place === undefined) {
    holder.root = value;
    return;
  }
  child(place.parent, place.last);
  if (Array.isArray(place.parent)) place.parent[Number(place.last)] = value;
  else set(place.parent, place.last, value);
}

function remove(holder: Holder, path: string): void {
  const place = parentOf(holder, path);
  if (place === undefined) {
    holder.root = null;
    return;
  }
  child(place.parent, place.last);
  if (Array.isArray(place.parent)) place.parent.splice(Number(place.last), 1);
  else delete (place.parent as Record<string, unknown>)[place.last];
}

function set(parent: unknown, name: string, value: unknown): void {
  if (typeof parent !== "object" || parent === null) throw new PatchFailed(`there is no place for ${name}`);
  // Plain assignment of `__proto__` would change the object instead of a field.
  Object.defineProperty(parent, name, { value, writable: true, enumerable: true, configurable: true });
}
