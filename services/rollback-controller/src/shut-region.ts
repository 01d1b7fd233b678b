import type { RegionCluster } from "@slipway/cluster";
import type { WatchRequest } from "@slipway/contracts";
import type { DeploymentId, Epoch } from "@slipway/kernel";

/** Writes the fence shut with the baseline at 100, then reads it: confirmed means read. Throws when the region does not show it. */
export async function shutRegion(
  cluster: RegionCluster,
  id: DeploymentId,
  spec: WatchRequest,
  region: string,
): Promise<{ kind: "shut"; seq: number } | { kind: "overtaken" }> {
  const target = { environment: spec.environment, service: spec.service };
  const epoch = spec.epochs[region] as Epoch;
  const answer = await cluster.lower(target, {
    epoch,
    deployment: id,
    baseline: spec.baselines[region] ?? null,
    canary: spec.version,
  });
  if (answer.kind === "stale") return { kind: "overtaken" };
  const traffic = await cluster.readTraffic(target);
  const overtaken = (traffic.fence?.epoch ?? 0) > epoch;
  if (overtaken) return { kind: "overtaken" };
  if (traffic.fence?.gate !== "shut" || (traffic.weights[spec.version] ?? 0) !== 0)
    throw new Error(`${region} does not show the fence shut yet`);
  return { kind: "shut", seq: traffic.fence.seq };
}
