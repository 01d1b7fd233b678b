import { randomUUID } from "node:crypto";
import { kafkaTrial } from "@slipway/bus";
import { lookAtRegion, type RegionAccount, type RegionLook, regionProblems } from "@slipway/cluster";
import { consumerGroups } from "@slipway/contracts";
import { kubernetesProblem, readKubernetesUrl } from "@slipway/executor";
import { meshUnseen, metricsProblem } from "@slipway/metrics";
import { silentLogger } from "@slipway/sql";
import { openBus, openObjects } from "./adapters.ts";
import type { HostConfig } from "./config.ts";
import type { EnvironmentEntry } from "./module.ts";
import { type RegionEntry, regionsFor } from "./regions.ts";
import { adapterOf } from "./schemes.ts";

/** What the regions and their metrics lack, a sentence each. `account`: whose kubeconfigs they name, where that is known. */
export async function regionTrouble(
  regions: readonly RegionEntry[],
  environments: readonly EnvironmentEntry[],
  account?: RegionAccount,
): Promise<readonly string[]> {
  return (await regionLooks(regions, environments, account)).problems;
}

export type RegionLooks = {
  readonly problems: readonly string[];
  /** By region: whether its API lets the account in, and for how long its token is good. */
  readonly looks: ReadonlyMap<string, Pick<RegionLook, "reached" | "token">>;
};

/** The same, with what was seen of each. */
export async function regionLooks(
  regions: readonly RegionEntry[],
  environments: readonly EnvironmentEntry[],
  account?: RegionAccount,
): Promise<RegionLooks> {
  if (regions.length === 0)
    return { problems: ["no regions are configured: name a regions file in SLIPWAY_REGIONS"], looks: new Map() };
  const names = environments.map(({ name }) => name);
  const looks = await Promise.all(
    regions.map(async (region) => {
      const look = await lookAtRegion(region, names, account);
      return { ...look, name: region.name, problems: [...look.problems, ...(await metricsTrouble(region))] };
    }),
  );
  return {
    problems: looks.flatMap(({ problems }) => problems),
    looks: new Map(looks.map((look) => [look.name, look])),
  };
}

async function metricsTrouble({ metrics_url: url, name }: RegionEntry): Promise<readonly string[]> {
  const problem = url === undefined ? noMetrics : await metricsProblem(url);
  return problem === undefined ? [] : [`region ${name}: ${problem}`];
}

/** Each Prometheus that answers and has nothing of a mesh: so it is where nobody has asked anything yet, too. */
export async function metricsDoubts(regions: readonly RegionEntry[]): Promise<readonly string[]> {
  const found = await Promise.all(
    regions.map(async ({ name, metrics_url: url, metrics_shape: shape }) => {
      const doubt = url === undefined ? undefined : await meshUnseen(url, shape);
      return doubt === undefined ? undefined : `region ${name}: ${doubt}`;
    }),
  );
  return found.filter((doubt) => doubt !== undefined);
}

/** What the rollback-controller lacks in the regions where it has a way in of its own. */
export async function rollbackTrouble(regions: readonly RegionEntry[]): Promise<readonly string[]> {
  const account = "rollback-controller";
  const own = regionsFor(
    account,
    regions.filter(({ rollback_controller: way }) => way !== undefined),
  );
  return (await Promise.all(own.map((region) => regionProblems(region, [], account)))).flat();
}

/** What keeps steps from running as Jobs; this machine's own isolation is looked at where it is used. */
export async function executorTrouble({ executorUrl }: Pick<HostConfig, "executorUrl">): Promise<readonly string[]> {
  if (adapterOf("SLIPWAY_EXECUTOR", executorUrl) !== "kubernetes") return [];
  const problem = await kubernetesProblem(readKubernetesUrl(executorUrl));
  return problem === undefined ? [] : [problem];
}

const noMetrics = "it has no metrics_url in the regions file, so that no deployment there can be judged: add it";

/** What is wrong with a bus outside of the database. */
export async function busTrouble(
  config: Pick<HostConfig, "busUrl" | "keepEventsMs">,
  installation: () => Promise<string | undefined>,
): Promise<string | undefined> {
  if (adapterOf("SLIPWAY_BUS_URL", config.busUrl) === "postgres") return undefined;
  // It would leave a claim there, which is for services to do.
  const bus = openBus(config, "", silentLogger, async () => undefined);
  try {
    const problem = await bus.ready();
    const options = { url: config.busUrl, log: silentLogger, keepEventsMs: config.keepEventsMs, installation };
    return problem ?? (await kafkaTrial(options, consumerGroups));
  } finally {
    await bus.close();
  }
}

/** What is wrong with the store of objects, tried with a small object of its own: keys may have the right to read alone. */
export async function objectsTrouble(config: HostConfig): Promise<string | undefined> {
  const objects = openObjects(config.objectsUrl, config.dataDir);
  const problem = await objects.problem();
  if (problem !== undefined) return problem;
  const key = `doctor/${randomUUID()}`;
  try {
    await objects.put(key, Buffer.from(key));
    for await (const _ of (await objects.get(key)) ?? []);
    await objects.delete(key);
    return undefined;
  } catch (error) {
    await objects.delete(key).catch(() => undefined);
    return error instanceof Error ? error.message : String(error);
  }
}
