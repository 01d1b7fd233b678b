import { InvalidObjectKey } from "./port.ts";

const segment = /^[A-Za-z0-9_:@+-][A-Za-z0-9._:@+-]{0,199}$/;

/** The segments of a key. Throws InvalidObjectKey: nothing that could leave the store or meet its own files passes. */
export function keySegments(key: string): readonly string[] {
  const segments = key.split("/");
  const allowed = key.length <= 1000 && segments.length <= 20 && segments.every((part) => segment.test(part));
  if (!allowed) throw new InvalidObjectKey(key);
  return segments;
}

/** Splits a prefix into whole segments and the begun last one: "builds/B-1" -> ["builds"], "B-1". */
export function prefixSegments(prefix: string): { readonly folders: readonly string[]; readonly begun: string } {
  const parts = prefix.split("/");
  const begun = parts.pop() ?? "";
  if (parts.length > 0) keySegments(parts.join("/"));
  if (begun !== "") keySegments(begun);
  return { folders: parts, begun };
}
