import type { RegionCluster, Target } from "@slipway/cluster";
import type { EnvironmentName, VersionName } from "@slipway/kernel";
import { clusterStage, v1, v2 } from "../cluster-stage.ts";
import type { RealRegion } from "./kubernetes.ts";

export type StagedCanary = { readonly target: Target; readonly baseline: VersionName; readonly canary: VersionName };

/** In each of these regions: a service of this environment of which the canary has 5% under epoch 2, with ready pods. */
export async function stageCanary(
  environment: string,
  regions: readonly { readonly region: RegionCluster; readonly api: RealRegion["api"] }[],
): Promise<StagedCanary> {
  const target = { service: "orders", environment: environment as EnvironmentName } as Target;
  for (const { region, api } of regions) {
    const stage = clusterStage(() => ({ region, api, close: async () => undefined }));
    await stage.canaryUnderWay(target);
    const raised = await region.raise(target, stage.toV2(5));
    if (raised.kind !== "raised") throw new Error(`not raised: ${JSON.stringify(raised)}`);
  }
  return { target, baseline: v1, canary: v2 };
}
