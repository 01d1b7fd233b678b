/** RFC 6902, as far as it is written here. */
export type PatchOperation =
  | { readonly op: "test" | "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** A JSON pointer from raw segments. */
export function pointer(...segments: readonly (string | number)[]): string {
  return segments.map((segment) => `/${String(segment).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

export function testVersion(resourceVersion: string): PatchOperation {
  return { op: "test", path: "/metadata/resourceVersion", value: resourceVersion };
}

/** Sets annotations without touching the others. The caller guards the write with a test of its own. */
export function setAnnotations(
  present: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>>,
): PatchOperation[] {
  const created: PatchOperation[] =
    present === undefined ? [{ op: "add", path: "/metadata/annotations", value: {} }] : [];
  const set = Object.entries(wanted).map(
    ([name, value]): PatchOperation => ({ op: "add", path: pointer("metadata", "annotations", name), value }),
  );
  return [...created, ...set];
}
