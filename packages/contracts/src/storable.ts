type Place = { readonly at: readonly string[]; readonly message: string };

const message = "holds a character that cannot be stored (U+0000, or half of a surrogate pair)";

/** Strings that Postgres cannot hold, anywhere in a value that was parsed already: so nobody needs to think of them further in. */
export function unstorable(value: unknown, at: readonly string[] = []): readonly Place[] {
  if (typeof value === "string") return storable(value) ? [] : [{ at, message }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    storable(key) ? unstorable(inner, [...at, key]) : [{ at, message: `has a field whose name ${message}` }],
  );
}

function storable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
