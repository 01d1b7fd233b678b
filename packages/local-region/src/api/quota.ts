import { forbidden } from "./api-error.ts";
import type { Region } from "./region.ts";
import { pods, type Resource, resourcequotas } from "./resources.ts";
import { fieldAt } from "./stored.ts";

/** Throws ApiError 403 for a pod beyond what a ResourceQuota of its namespace allows. Of cpu, memory and other kinds nothing is counted. */
export function checkQuota({ store }: Region, resource: Resource, namespace: string | undefined, name: string): void {
  if (resource !== pods || namespace === undefined) return;
  const quotas = store.listLatest(resourcequotas, namespace);
  if (quotas.length === 0) return;
  const used = store.listLatest(pods, namespace).filter((pod) => !isOver(fieldAt(pod, "status", "phase"))).length;
  for (const quota of quotas) {
    const limit = fieldAt(quota, "spec", "hard", "pods");
    if (limit === undefined || used < Number(limit)) continue;
    const why = `exceeded quota: ${quota.metadata.name}, requested: pods=1, used: pods=${used}, limited: pods=${limit}`;
    throw forbidden(pods, name, why);
  }
}

function isOver(phase: unknown): boolean {
  return phase === "Succeeded" || phase === "Failed";
}
