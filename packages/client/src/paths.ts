/** `/x/:id` with params and query filled in and escaped. Values that are undefined are left out of the query. */
export function pathOf(pattern: string, params: unknown, query: unknown): string {
  const values = (params ?? {}) as Readonly<Record<string, unknown>>;
  const path = pattern.replaceAll(/:([a-z_]+)/gi, (_, name: string) => {
    const value = values[name];
    if (value === undefined || value === null || value === "")
      throw new TypeError(`no value for :${name} of ${pattern}`);
    return encodeURIComponent(String(value));
  });
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries((query ?? {}) as Readonly<Record<string, unknown>>)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? path : `${path}?${search}`;
}
