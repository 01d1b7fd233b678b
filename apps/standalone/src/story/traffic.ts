import { existsSync, readFileSync } from "node:fs";
import { servedWeights } from "../served-weights.ts";
import { serviceName, type Work, waitFor } from "./context.ts";
import { LoadCounts } from "./load-counts.ts";

/** Answers per second and region: enough for the evidence of a 5% step in about a quarter of a minute, and little for two cores. */
export const requestsPerSecond = 200;

/** Starts the load process where none runs (or takes over the one that a killed platform left) and waits for answers in every region. */
export async function startTraffic(work: Work): Promise<void> {
  const { stack, options, countsFile, tell } = work;
  if (stack.supervisor.pidOf("load") !== undefined) return;
  const regions = Object.fromEntries(stack.layout.regions.map(({ name, mesh_url }) => [name, mesh_url]));
  const host = `${serviceName}.prod`;
  await stack.supervisor.ensure({
    name: "load",
    role: "load",
    graceMs: 5_000,
    config: { dataDir: options.dataDir, countsFile, host, path: "/orders", requestsPerSecond, regions },
  });
  await waitFor(work, "traffic in every region", 20_000, async () => {
    const counts = readLoad(countsFile);
    return Object.keys(regions).every((region) =>
      Object.keys(counts.regions[region]?.versions ?? {}).some((version) => version !== "none"),
    )
      ? true
      : undefined;
  });
  tell.line(`a load process sends ${requestsPerSecond} requests/s to ${host} through the mesh of each region`);
}

export function readLoad(file: string): LoadCounts {
  return existsSync(file) ? LoadCounts.parse(JSON.parse(readFileSync(file, "utf8"))) : { regions: {} };
}

type ServedWeight = { readonly now: number; readonly sinceMs: number; readonly max: number };

/**
 * What a region's proxy says of a version: the weight it serves now, since when, and the largest since it started; null where it does not answer,
 * or is somebody else's.
 */
export async function servedWeight(adminUrl: string | undefined, version: string): Promise<ServedWeight | null> {
  if (adminUrl === undefined) return null;
  const served = await servedWeights(adminUrl, serviceName, "prod");
  const own = served?.find((one) => one.version === version);
  return served === null ? null : { now: own?.percent ?? 0, sinceMs: own?.sinceMs ?? 0, max: own?.most ?? 0 };
}
