const durations = new Set(["timeout", "bake", "grace", "watch", "verify_after"]);

type Problem = { readonly at: readonly PropertyKey[]; readonly message: string };

/** Durations that were written as bare numbers: a program takes them for milliseconds, and nobody who writes 30 means those. */
export function unitless(value: unknown, at: readonly PropertyKey[] = []): readonly Problem[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    // Variables have whatever names they like.
    if (key === "env") return [];
    const place = [...at, Array.isArray(value) ? Number(key) : key];
    if (durations.has(key) && typeof inner === "number" && inner > 0)
      return [{ at: place, message: `a duration has a unit: ${inner}s, not ${inner}` }];
    return unitless(inner, place);
  });
}
