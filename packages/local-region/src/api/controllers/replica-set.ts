import { create } from "../create.ts";
import { remove } from "../delete.ts";
import { type Region, suffix } from "../region.ts";
import { pods, replicasets } from "../resources.ts";
import { update } from "../update.ts";
import { recordEvent } from "./record-event.ts";
import { controllerOf, isActive, isReady, type Pod, type ReplicaSet } from "./workload-types.ts";

const component = "replicaset-controller";

/** Makes as many pods as are wanted, and counts them. */
export function reconcileReplicaSet(region: Region, set: ReplicaSet): void {
  const { namespace } = set.metadata;
  if (namespace === undefined || set.metadata.deletionTimestamp !== undefined) return;
  const own = (region.store.listLatest(pods, namespace) as Pod[]).filter(
    (pod) => controllerOf(pod) === set.metadata.uid,
  );
  const active = own.filter(isActive);
  const missing = set.spec.replicas - active.length;
  const made = Array.from({ length: Math.max(0, missing) }, () => makePod(region, set, namespace));
  const surplus = active.sort(bySacrifice).slice(0, Math.max(0, -missing));
  for (const pod of surplus) removePod(region, set, pod);
  const left = active.filter((pod) => !surplus.includes(pod));
  writeStatus(region, set, left, left.length + made.length);
}

/** First what serves least: not ready before ready, then the youngest. */
function bySacrifice(a: Pod, b: Pod): number {
  const ready = Number(isReady(a)) - Number(isReady(b));
  if (ready !== 0) return ready;
  return Number(b.metadata.resourceVersion) - Number(a.metadata.resourceVersion);
}

function makePod(region: Region, set: ReplicaSet, namespace: string): void {
  const { template } = set.spec;
  const name = `${set.metadata.name}-${suffix(region.random)}`;
  const body = {
    metadata: {
      name,
      generateName: `${set.metadata.name}-`,
      ...(template.metadata?.labels === undefined ? {} : { labels: template.metadata.labels }),
      ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      ownerReferences: [ownerReference(set)],
    },
    spec: template.spec,
  };
  const { object } = create(region, { resource: pods, namespace, body });
  recordEvent(region, set, { type: "Normal", reason: "SuccessfulCreate", message: `Created pod: ${name}`, component });
  const message = `Successfully assigned ${namespace}/${name} to ${region.node}`;
  recordEvent(region, object, { type: "Normal", reason: "Scheduled", message, component: "default-scheduler" });
}

function removePod(region: Region, set: ReplicaSet, pod: Pod): void {
  const { name, namespace } = pod.metadata;
  remove(region, { resource: pods, namespace, name }, {});
  recordEvent(region, set, { type: "Normal", reason: "SuccessfulDelete", message: `Deleted pod: ${name}`, component });
}

export function ownerReference({ apiVersion, kind, metadata }: Pick<ReplicaSet, "apiVersion" | "kind" | "metadata">) {
  const { name, uid } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

function writeStatus(region: Region, set: ReplicaSet, active: readonly Pod[], replicas: number): void {
  const { name, namespace, generation } = set.metadata;
  const ready = active.filter(isReady).length;
  const status = {
    replicas,
    fullyLabeledReplicas: replicas,
    readyReplicas: ready,
    availableReplicas: ready,
    observedGeneration: generation,
  };
  update(region, {
    ...{ resource: replicasets, namespace, name, part: "status" },
    propose: (current) => ({ ...current, status }),
  });
}
