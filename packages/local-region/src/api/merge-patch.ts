import { isRecord } from "./stored.ts";

/** RFC 7386, on a copy. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return structuredClone(patch);
  const merged: [string, unknown][] = isRecord(target) ? Object.entries(target) : [];
  const result = new Map(merged);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, applyMergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/**
 * Whether a strategic merge patch means the same as a merge patch: no directives, and no lists of objects, which it
 * would merge by key. Anything else is refused rather than half understood.
 */
export function isPlainMerge(patch: unknown): boolean {
  if (Array.isArray(patch)) return patch.every((item) => !isRecord(item) && !Array.isArray(item));
  if (!isRecord(patch)) return true;
  return Object.entries(patch).every(([name, value]) => !name.startsWith("$") && isPlainMerge(value));
}
