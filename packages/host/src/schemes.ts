import { kafkaUrlProblem } from "@slipway/bus";

/** Which adapter each kind of URL asks for by its scheme: the only place in which they are told apart. */
const adapters = {
  SLIPWAY_DATABASE_URL: { "embedded:": "embedded", "postgres:": "postgres", "postgresql:": "postgres" },
  SLIPWAY_BUS_URL: { "postgres:": "postgres", "kafka:": "kafka", "kafka+ssl:": "kafka" },
  SLIPWAY_LOCK_URL: { "postgres:": "postgres", "redis:": "redis", "rediss:": "redis" },
  SLIPWAY_CACHE_URL: { "memory:": "memory", "none:": "none", "redis:": "redis", "rediss:": "redis" },
  SLIPWAY_OBJECTS_URL: { "file:": "file", "s3:": "s3" },
  SLIPWAY_EXECUTOR: { "machine:": "machine", "kubernetes:": "kubernetes" },
  metrics_url: { "scrape:": "scrape", "prometheus:": "prometheus" },
} as const;

export type UrlKind = keyof typeof adapters;
type Adapter<K extends UrlKind> = (typeof adapters)[K][keyof (typeof adapters)[K]];

/** Of a URL that was not refused; undefined for any other. */
export function adapterOf<K extends UrlKind>(kind: K, url: string): Adapter<K> | undefined {
  const scheme = schemeOf(url);
  const known: (typeof adapters)[K] = adapters[kind];
  return scheme !== undefined && Object.hasOwn(known, scheme) ? known[scheme as keyof typeof known] : undefined;
}

export const isRedis = (kind: "SLIPWAY_LOCK_URL" | "SLIPWAY_CACHE_URL", url: string): boolean =>
  adapterOf(kind, url) === "redis";

/** Postgres is this process's own, and no other process has a part in it. */
export const isEmbedded = (databaseUrl: string): boolean =>
  adapterOf("SLIPWAY_DATABASE_URL", databaseUrl) === "embedded";

/** Undefined when the scheme is one of those known and the URL can be read, else the refusal as a sentence. */
export function refuseScheme(kind: UrlKind, url: string): string | undefined {
  const scheme = schemeOf(url);
  const adapter = adapterOf(kind, url);
  if (adapter !== undefined) return adapter === "kafka" ? kafkaUrlProblem(url) : undefined;
  const what = scheme === undefined ? "there is no scheme" : `${scheme} is not available`;
  return `${what}; there is: ${Object.keys(adapters[kind]).join(", ")}`;
}

function schemeOf(url: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase();
}
