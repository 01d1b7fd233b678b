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
