import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bus, kafkaBus, postgresBus } from "@slipway/bus";
import { type Cache, memoryCache, noCache, redisCache, redisProblem } from "@slipway/cache";
import {
  type Executor,
  type IsolationRefused,
  kubernetesExecutor,
  machineExecutor,
  type ProbeOptions,
  probeIsolation,
  readKubernetesUrl,
} from "@slipway/executor";
import { type Locks, postgresLocks, redisLocks } from "@slipway/lock";
import { type MetricsSource, prometheusMetrics, scrapeMetrics } from "@slipway/metrics";
import { fileObjects, type Objects, s3Objects, s3Place } from "@slipway/objects";
import type { Db, Logger } from "@slipway/sql";
import type { RegionEntry } from "./regions.ts";
import { adapterOf, isEmbedded, isRedis, refuseScheme, type UrlKind } from "./schemes.ts";

/** `postgres:` alone: the log lies in the platform's own database, used under the service's role. `kafka://…`: there, where `installation` is known. */
export function openBus(
  { busUrl, keepEventsMs }: { readonly busUrl: string; readonly keepEventsMs: number },
  roleUrl: string,
  log: Logger,
  installation: () => Promise<string | undefined>,
): Bus {
  if (adapterOf("SLIPWAY_BUS_URL", busUrl) === "kafka")
    return kafkaBus({ url: busUrl, log, keepEventsMs, installation });
  return postgresBus({ url: roleUrl, log });
}

/** `file:` alone is `<data>/objects`; `file:folder` is inside the data folder; `file:///folder` is anywhere. `s3:` is a bucket. */
export function openObjects(objectsUrl: string, dataDir: string): Objects {
  if (adapterOf("SLIPWAY_OBJECTS_URL", objectsUrl) === "s3") return s3Objects({ url: objectsUrl });
  return fileObjects({ root: objectsFolder(objectsUrl, dataDir) });
}

/** Processes with a database in common have a folder each, unless a place is named. One whose Postgres is its own has no others beside it. */
export function areObjectsShared(config: {
  readonly databaseUrl: string;
  readonly env: Readonly<Record<string, string>>;
}): boolean {
  return isEmbedded(config.databaseUrl) || config.env.SLIPWAY_OBJECTS_URL !== undefined;
}

export function objectsFolder(objectsUrl: string, dataDir: string): string {
  const rest = objectsUrl.slice("file:".length);
  if (rest.startsWith("//")) return fileURLToPath(objectsUrl);
  return isAbsolute(rest) ? rest : resolve(dataDir, rest === "" ? "objects" : rest);
}

/** `machine:` runs build steps here, isolated as `options` ask; `kubernetes:…` runs each as a Job. */
export async function openExecutor(
  { executorUrl }: { readonly executorUrl: string },
  { secret, log, ...options }: ProbeOptions & { readonly secret: string; readonly log: Logger },
): Promise<Executor | IsolationRefused> {
  if (adapterOf("SLIPWAY_EXECUTOR", executorUrl) === "kubernetes")
    return kubernetesExecutor(readKubernetesUrl(executorUrl), { secret, log });
  const isolation = await probeIsolation(options);
  return isolation.kind === "refused" ? isolation : machineExecutor(isolation);
}

export type OpenedLocks = { readonly locks: Locks; close(): Promise<void> };

/** Tables of locks belong to one service's schema; for the others this opens nothing. Redis stands before them, never in their place. */
export function openLocks<T>(lockUrl: string, db: Db<T>, log: Logger): OpenedLocks {
  if (!isRedis("SLIPWAY_LOCK_URL", lockUrl)) return { locks: postgresLocks({ db, log }), close: async () => {} };
  const locks = redisLocks({ url: lockUrl, db, log });
  return { locks, close: locks.close };
}

/** Where answers are kept for a moment, and the variable that says so. */
export type CacheAt = { readonly url: string; readonly urlIn: "SLIPWAY_CACHE_URL" | "SLIPWAY_LOCK_URL" };

/** `space`: what keeps one service's answers apart from another's in one Redis. */
export function openCache({ url, urlIn }: CacheAt, of: { space: string; keepMs: number; log: Logger }): Cache {
  switch (adapterOf("SLIPWAY_CACHE_URL", url)) {
    case "redis":
      return redisCache({ url, urlIn, ...of });
    case "memory":
      return memoryCache(of);
    default:
      return noCache;
  }
}

export type RedisUse = { readonly lockUrl: string; readonly cache: CacheAt };

/** Each Redis that the configuration names, by what it is for. One that is wrong costs speed and nothing else. */
export function redisTrouble({ lockUrl, cache }: RedisUse) {
  const look = async (url: string, urlIn: CacheAt["urlIn"]): Promise<readonly string[]> => {
    const problem = isRedis(urlIn, url) ? await redisProblem({ url, urlIn }) : undefined;
    return problem === undefined ? [] : [problem];
  };
  return { locks: () => look(lockUrl, "SLIPWAY_LOCK_URL"), cache: () => look(cache.url, cache.urlIn) };
}

/** Locks and views are right without Redis, only slower: so nothing waits for it, and what is wrong with it is said. */
export async function tellOfRedis(use: RedisUse, log: Logger): Promise<void> {
  const { locks, cache } = redisTrouble(use);
  for (const reason of new Set((await Promise.all([locks(), cache()])).flat()))
    log.warn({ reason }, "what Redis would answer is asked of Postgres");
}

/** Undefined, or what is wrong with a URL whose scheme is known. */
export function refuseUrl(kind: UrlKind, url: string): string | undefined {
  const adapter = adapterOf(kind, url);
  try {
    if (adapter === "s3") s3Place(url);
    if (adapter === "kubernetes") readKubernetesUrl(url);
    if (kind === "SLIPWAY_DATABASE_URL" && adapter === "postgres") new URL(url);
    if (adapter === "redis" && new URL(url).hostname === "") throw new Error("no host");
    return undefined;
  } catch (error) {
    if (adapter === "redis") return "it is redis://user:password@host:port, or rediss:// for TLS";
    if (adapter === "postgres")
      return "it is postgres://user:password@host:port/database, with what is special in the password percent-encoded";
    return error instanceof Error ? error.message : String(error);
  }
}

/** The source of each region by its name, opened at first use. */
export function metricsOf(regions: readonly RegionEntry[]): (name: string) => MetricsSource {
  const opened = new Map<string, MetricsSource>();
  return (name) => {
    const known = opened.get(name);
    if (known !== undefined) return known;
    const region = regions.find((entry) => entry.name === name);
    if (region === undefined) throw new Error(`no region ${name} is configured`);
    const source = openMetrics(region);
    opened.set(name, source);
    return source;
  };
}

/** `scrape:http://…` reads the mesh proxy's own page, `prometheus:http://…` asks a Prometheus that does. */
function openMetrics(region: RegionEntry): MetricsSource {
  const url = region.metrics_url;
  if (url === undefined) throw new Error(`region ${region.name} has no metrics_url`);
  const refusal = refuseScheme("metrics_url", url);
  if (refusal !== undefined) throw new Error(`metrics_url of region ${region.name}: ${refusal}`);
  if (adapterOf("metrics_url", url) === "scrape") return scrapeMetrics({ url: url.slice("scrape:".length) });
  const { metrics_shape: shape } = region;
  return prometheusMetrics({ url: url.slice("prometheus:".length), ...(shape === undefined ? {} : { shape }) });
}
