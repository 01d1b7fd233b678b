import type { RouteMatch, StringMatch } from "./objects.ts";
import { type Backend, hostKey, type Route, type RouteTable, type ServiceRoutes } from "./routes.ts";

/** What routing may look at. Header names are lower-case. */
export type RequestFacts = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

export type Choice =
  | { readonly kind: "backend"; readonly routes: ServiceRoutes; readonly backend: Backend }
  | { readonly kind: "none"; readonly why: "unknown_service" | "no_route" };

/** Chooses the backend of one request. `random` in [0, 1) is drawn once per request. Pure. */
export function chooseBackend(table: RouteTable, request: RequestFacts, random: number): Choice {
  const host = request.headers.host;
  const key = hostKey(typeof host === "string" ? host : undefined);
  const routes = key === undefined ? undefined : table.get(key);
  if (routes === undefined) return { kind: "none", why: "unknown_service" };
  const route = routes.routes.find((candidate) => takes(candidate, request));
  const backend = route === undefined ? undefined : weighted(route, random);
  return backend === undefined ? { kind: "none", why: "no_route" } : { kind: "backend", routes, backend };
}

function takes({ matches }: Route, request: RequestFacts): boolean {
  return matches === null || matches.some((match) => matchesRequest(match, request));
}

function weighted({ destinations }: Route, random: number): Backend | undefined {
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0);
  let point = random * total;
  for (const { backend, weight } of destinations) {
    if (point < weight) return backend;
    point -= weight;
  }
  return undefined;
}

function matchesRequest(match: RouteMatch, request: RequestFacts): boolean {
  const [path = "", query = ""] = request.url.split("?", 2);
  const header = (name: string): string | undefined => {
    const value = request.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(",") : value;
  };
  const all = (wanted: Record<string, StringMatch> | undefined, get: (name: string) => string | undefined): boolean =>
    Object.entries(wanted ?? {}).every(([name, expected]) => matchesText(expected, get(name)));
  const without = Object.entries(match.withoutHeaders ?? {});
  const parameters = match.queryParams === undefined ? undefined : new URLSearchParams(query);
  return (
    (match.uri === undefined || matchesText(match.uri, path)) &&
    (match.method === undefined || matchesText(match.method, request.method)) &&
    (match.authority === undefined || matchesText(match.authority, header("host"))) &&
    all(match.headers, header) &&
    all(match.queryParams, (name) => parameters?.get(name) ?? undefined) &&
    without.every(([name, forbidden]) => !matchesText(forbidden, header(name)))
  );
}

/** An empty exact match on a header is Istio's way to ask for its presence. */
function matchesText(expected: StringMatch, value: string | undefined): boolean {
  if (value === undefined) return false;
  if ("exact" in expected) return value === expected.exact;
  if ("prefix" in expected) return value.startsWith(expected.prefix);
  return pattern(expected.regex)?.test(value) ?? false;
}

const patterns = new Map<string, RegExp | undefined>();

/** Anchored, as Istio's are; compiled once. An expression that does not compile matches nothing. */
function pattern(source: string): RegExp | undefined {
  if (!patterns.has(source)) {
    if (patterns.size > 1_000) patterns.clear();
    try {
      patterns.set(source, new RegExp(`^(?:${source})$`));
    } catch {
      patterns.set(source, undefined);
    }
  }
  return patterns.get(source);
}
