import type { VersionName } from "@slipway/kernel";
import { ApiStatus, RegionRejected } from "./errors.ts";
import type { Effects } from "./objects.ts";
import * as paths from "./paths.ts";
import { isReady, ownStatus } from "./pod.ts";
import type { PodSummary, Target } from "./port.ts";
import { appContainer, serviceLabel, versionLabel } from "./workload.ts";
import { listPods } from "./workloads.ts";

export async function podSummaries({ connection }: Effects, target: Target): Promise<readonly PodSummary[]> {
  const pods = await listPods(connection, target, `${serviceLabel}=${target.service}`);
  return pods.map((pod) => ({
    name: pod.metadata.name,
    version: (pod.metadata.labels?.[versionLabel] ?? "") as VersionName,
    ready: isReady(pod),
    restarts: ownStatus(pod)?.restartCount ?? 0,
  }));
}

/** Throws RegionRejected where the pod has nothing to show yet, or is gone. */
export async function podLog(
  { connection }: Effects,
  target: Target,
  pod: string,
  options: { readonly tail: number; readonly follow: boolean; readonly signal: AbortSignal },
): Promise<AsyncIterable<string>> {
  // Named, because a pod with a sidecar has two, and an API server picks none of them.
  const query = {
    container: appContainer,
    tailLines: String(options.tail),
    ...(options.follow ? { follow: "true" } : {}),
  };
  try {
    return await connection.lines(`${paths.pods(target)}/${encodeURIComponent(pod)}/log`, query, options.signal);
  } catch (error) {
    if (error instanceof ApiStatus) throw new RegionRejected(connection.region, error.message, { cause: error });
    throw error;
  }
}
