import { regionProblems } from "@slipway/cluster";
import { redisProblem } from "@slipway/lock";
import { metricsProblem } from "@slipway/metrics";
import { silentLogger } from "@slipway/sql";
import { isRedis, openBus, openObjects } from "./adapters.ts";
import type { HostConfig } from "./config.ts";
import type { EnvironmentEntry } from "./module.ts";
import type { RegionEntry } from "./regions.ts";

/** What is wrong with the locks' Redis, as a sentence. Without it locks work all the same, from Postgres alone. */
export async function lockTrouble({ lockUrl }: Pick<HostConfig, "lockUrl">): Promise<readonly string[]> {
  const problem = isRedis(lockUrl) ? await redisProblem(lockUrl) : undefined;
  return problem === undefined ? [] : [problem];
}

/** What the regions and their metrics lack, a sentence each. */
export async function regionTrouble(
  regions: readonly RegionEntry[],
  environments: readonly EnvironmentEntry[],
): Promise<readonly string[]> {
  if (regions.length === 0) return ["no regions are configured: name a regions file in SLIPWAY_REGIONS"];
  const names = environments.map(({ name }) => name);
  const found = await Promise.all(regions.map((region) => troubleOf(region, names)));
  return found.flat();
}

async function troubleOf(region: RegionEntry, environments: readonly string[]): Promise<readonly string[]> {
  const { metrics_url: url, name } = region;
  const metrics = url === undefined ? noMetrics : await metricsProblem(url);
  const unreadable = metrics === undefined ? [] : [`region ${name}: ${metrics}`];
  return [...(await regionProblems(region, environments)), ...unreadable];
}

const noMetrics = "it has no metrics_url in the regions file, so that no deployment there can be judged: add it";

/** What is wrong with a bus outside of the database. */
export async function busTrouble(config: Pick<HostConfig, "busUrl" | "keepEventsMs">): Promise<string | undefined> {
  if (config.busUrl.startsWith("postgres")) return undefined;
  const bus = openBus(config, "", silentLogger);
  try {
    return await bus.ready();
  } finally {
    await bus.close();
  }
}

/** What is wrong with the store of objects. */
export async function objectsTrouble(config: HostConfig): Promise<string | undefined> {
  return await openObjects(config.objectsUrl, config.dataDir).problem();
}
