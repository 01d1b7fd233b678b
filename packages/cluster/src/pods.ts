import type { VersionName } from "@slipway/kernel";
import { ApiStatus, RegionRejected } from "./errors.ts";
import type { Effects } from "./objects.ts";
import * as paths from "./paths.ts";
import { isReady } from "./pod.ts";
import type { PodSummary, Target } from "./port.ts";
import { serviceLabel, versionLabel } from "./workload.ts";
import { listPods } from "./workloads.ts";

export async function podSummaries({ connection }: Effects, target: Target): Promise<readonly PodSummary[]> {
  const pods = await listPods(connection, target, `${serviceLabel}=${target.service}`);
  return pods.map((pod) => ({
    name: pod.metadata.name,
    version: (pod.metadata.labels?.[versionLabel] ?? "") as VersionName,
    ready: isReady(pod),
    restarts: pod.status?.containerStatuses?.[0]?.restartCount ?? 0,
  }));
}

/** Throws RegionRejected where the pod has nothing to show yet, or is gone. */
export async function podLog(
  { connection }: Effects,
  target: Target,
  pod: string,
  options: { readonly tail: number; readonly follow: boolean; readonly signal: AbortSignal },
): Promise<AsyncIterable<string>> {
  const query = { tailLines: String(options.tail), ...(options.follow ? { follow: "true" } : {}) };
  try {
    return await connection.lines(`${paths.pods(target)}/${encodeURIComponent(pod)}/log`, query, options.signal);
  } catch (error) {
    if (error instanceof ApiStatus) throw new RegionRejected(connection.region, error.message, { cause: error });
    throw error;
  }
}
