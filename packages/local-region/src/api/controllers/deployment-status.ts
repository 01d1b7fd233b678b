import type { Instant } from "@slipway/kernel";
import { seconds } from "../stored.ts";
import { type Condition, type Deployment, failureOf, type ReplicaSet } from "./workload-types.ts";

type Count = "replicas" | "readyReplicas" | "availableReplicas";

/**
 * The status of a deployment as the real controller words it, and after how many milliseconds a rollout that makes no
 * progress counts as failed. Pure.
 */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  now: Instant,
): { readonly status: object; readonly lookAgainMs: number | undefined } {
  const { spec, metadata } = deployment;
  const total = (count: Count) => [current, ...old].reduce((sum, { status }) => sum + (status?.[count] ?? 0), 0);
  const updated = current.status?.replicas ?? 0;
  const available = total("availableReplicas");
  const before = deployment.status as Readonly<Record<string, unknown>> | undefined;
  const counts = {
    replicas: total("replicas"),
    updatedReplicas: updated,
    readyReplicas: total("readyReplicas"),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total("replicas") - available),
  };
  const complete = updated === spec.replicas && counts.replicas === spec.replicas && available >= spec.replicas;
  const moved = Object.entries(counts).some(([name, value]) => (before?.[name] ?? 0) !== value);
  const progress = progressOf(deployment, current, { complete, moved }, now);
  const [failure] = [current, ...old].map(failureOf).filter((found) => found !== undefined);
  const failures = failure === undefined ? [] : [condition(deployment, now, failure)];
  const conditions = [availability(deployment, available, now), progress.condition, ...failures];
  return {
    status: { observedGeneration: metadata.generation, ...withoutZeros(counts), conditions },
    lookAgainMs: progress.lookAgainMs,
  };
}

/** The real server leaves counts of 0 out. */
function withoutZeros(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value > 0));
}

function availability(deployment: Deployment, available: number, now: Instant): Condition {
  const enough = available >= deployment.spec.replicas;
  return condition(deployment, now, {
    type: "Available",
    status: enough ? "True" : "False",
    reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    message: enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
  });
}

type Progress = { readonly condition: Condition; readonly lookAgainMs: number | undefined };

function progressOf(
  deployment: Deployment,
  current: ReplicaSet,
  { complete, moved }: { readonly complete: boolean; readonly moved: boolean },
  now: Instant,
): Progress {
  const named = `ReplicaSet "${current.metadata.name}"`;
  if (complete) {
    const message = `${named} has successfully progressed.`;
    const done = { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable", message };
    return { condition: condition(deployment, now, done), lookAgainMs: undefined };
  }
  const before = deployment.status?.conditions?.find(({ type }) => type === "Progressing");
  const since = moved || before?.reason === "NewReplicaSetAvailable" ? undefined : before?.lastUpdateTime;
  const deadlineMs = deployment.spec.progressDeadlineSeconds * 1_000;
  const waitedMs = since === undefined ? 0 : Date.parse(now) - Date.parse(since);
  if (waitedMs >= deadlineMs) {
    const late = { reason: "ProgressDeadlineExceeded", message: `${named} has timed out progressing.` };
    return {
      condition: condition(deployment, now, { type: "Progressing", status: "False", ...late }),
      lookAgainMs: undefined,
    };
  }
  const going = { reason: "ReplicaSetUpdated", message: `${named} is progressing.` };
  const next = condition(deployment, now, { type: "Progressing", status: "True", ...going });
  const updateTime = since ?? seconds(now);
  return { condition: { ...next, lastUpdateTime: updateTime }, lookAgainMs: deadlineMs - waitedMs };
}

/** A condition that says the same as before keeps its times. */
function condition({ status }: Deployment, now: Instant, next: Condition): Condition {
  const before = status?.conditions?.find(({ type }) => type === next.type);
  const at = seconds(now);
  const same = before?.status === next.status && before.reason === next.reason && before.message === next.message;
  if (before !== undefined && same) return before;
  const lastTransitionTime = before?.status === next.status ? (before.lastTransitionTime ?? at) : at;
  return { ...next, lastUpdateTime: at, lastTransitionTime };
}
