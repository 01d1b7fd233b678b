import { ApiStatus } from "./errors.ts";
import { type Effects, readAs } from "./objects.ts";
import * as paths from "./paths.ts";
import { type ContainerStatus, isReady, PodList, unreadyContainer } from "./pod.ts";
import type { Target } from "./port.ts";
import { versionLabel } from "./workload.ts";

const answersWithinMs = 5_000;
const longestLine = 500;

/** What a pod of the version that is not ready printed last: of the process before, where it was started again. Empty where nothing is to be had. */
export async function lastLines(
  { connection }: Effects,
  target: Target,
  version: string,
  count: number,
): Promise<readonly string[]> {
  const labelSelector = `${versionLabel}=${version}`;
  const list = await readAs(connection, paths.pods(target), PodList, { query: { labelSelector } });
  const pod = list?.items.find((one) => one.metadata.deletionTimestamp === undefined && !isReady(one));
  if (pod === undefined) return [];
  const { name: container, status } = unreadyContainer(pod);
  const query = { container, tailLines: String(count), ...(hasRestarted(status) ? { previous: "true" } : {}) };
  const signal = AbortSignal.timeout(answersWithinMs);
  const lines: string[] = [];
  try {
    const path = `${paths.pods(target)}/${pod.metadata.name}/log`;
    for await (const line of await connection.lines(path, query, signal)) lines.push(line.slice(0, longestLine));
  } catch (error) {
    // A container that has not begun has no log; what was read until an end is worth having.
    if (!(error instanceof ApiStatus) && !signal.aborted) throw error;
  }
  return lines.slice(-count);
}

function hasRestarted(status: ContainerStatus | undefined): boolean {
  return (status?.restartCount ?? 0) > 0 && status?.state?.waiting !== undefined;
}
