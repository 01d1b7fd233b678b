import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bus, kafkaBus, postgresBus } from "@slipway/bus";
import { type Locks, postgresLocks } from "@slipway/lock";
import { type MetricsSource, scrapeMetrics } from "@slipway/metrics";
import { fileObjects, type Objects } from "@slipway/objects";
import type { Db, Logger } from "@slipway/sql";
import type { RegionEntry } from "./regions.ts";
import { refuseScheme } from "./schemes.ts";

/** `postgres:` alone: the log lies in the platform's own database, used under the service's role. `kafka://…`: there. */
export function openBus(
  { busUrl, keepEventsMs }: { readonly busUrl: string; readonly keepEventsMs: number },
  roleUrl: string,
  log: Logger,
): Bus {
  if (busUrl.startsWith("kafka")) return kafkaBus({ url: busUrl, log, keepEventsMs });
  return postgresBus({ url: roleUrl, log });
}

/** `file:` alone is `<data>/objects`; `file:folder` is inside the data folder; `file:///folder` is anywhere. */
export function openObjects(objectsUrl: string, dataDir: string): Objects {
  return fileObjects({ root: objectsFolder(objectsUrl, dataDir) });
}

export function objectsFolder(objectsUrl: string, dataDir: string): string {
  const rest = objectsUrl.slice("file:".length);
  if (rest.startsWith("//")) return fileURLToPath(objectsUrl);
  return isAbsolute(rest) ? rest : resolve(dataDir, rest === "" ? "objects" : rest);
}

/** Tables of locks belong to one service's schema; for the others this opens nothing. */
export function openLocks<T>(db: Db<T>, log: Logger): Locks {
  return postgresLocks({ db, log });
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

/** `scrape:http://…` reads the mesh proxy's own page. */
function openMetrics(region: RegionEntry): MetricsSource {
  const url = region.metrics_url;
  if (url === undefined) throw new Error(`region ${region.name} has no metrics_url`);
  const refusal = refuseScheme("metrics_url", url);
  if (refusal !== undefined) throw new Error(`metrics_url of region ${region.name}: ${refusal}`);
  return scrapeMetrics({ url: url.slice("scrape:".length) });
}
