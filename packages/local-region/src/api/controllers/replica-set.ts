import { ApiError } from "../api-error.ts";
import { create } from "../create.ts";
import { remove } from "../delete.ts";
import { type Region, suffix } from "../region.ts";
import { pods, replicasets } from "../resources.ts";
import { seconds } from "../stored.ts";
import { update } from "../update.ts";
import { recordEvent } from "./record-event.ts";
import {
  type Condition,
  controllerOf,
  failureOf,
  isActive,
  isReady,
  type Pod,
  type ReplicaSet,
  replicaFailure,
} from "./workload-types.ts";

const component = "replicaset-controller";

/** How long until pods that were refused are tried again. */
const refusedAgainMs = 1_000;

/** Makes as many pods as are wanted, and counts them. The answer says after how many milliseconds to look again, where some were refused. */
export function reconcileReplicaSet(region: Region, set: ReplicaSet): number | undefined {
  const { namespace } = set.metadata;
  if (namespace === undefined || set.metadata.deletionTimestamp !== undefined) return undefined;
  const own = (region.store.listLatest(pods, namespace) as Pod[]).filter(
    (pod) => controllerOf(pod) === set.metadata.uid,
  );
  const active = own.filter(isActive);
  const missing = set.spec.replicas - active.length;
  const { made, refusal } = makePods(region, set, namespace, missing);
  const surplus = active.sort(bySacrifice).slice(0, Math.max(0, -missing));
  for (const pod of surplus) removePod(region, set, pod);
  const left = active.filter((pod) => !surplus.includes(pod));
  writeStatus(region, set, { active: left, replicas: left.length + made, refusal });
  return refusal === undefined ? undefined : refusedAgainMs;
}

/** Until one is refused: the next would be, too. */
function makePods(region: Region, set: ReplicaSet, namespace: string, missing: number) {
  for (let made = 0; made < missing; made += 1) {
    try {
      makePod(region, set, namespace);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (failureOf(set) === undefined) {
        const message = `Error creating: ${error.message}`;
        recordEvent(region, set, { type: "Warning", reason: "FailedCreate", message, component });
      }
      return { made, refusal: error.message };
    }
  }
  return { made: Math.max(0, missing), refusal: undefined };
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

type Counted = {
  readonly active: readonly Pod[];
  readonly replicas: number;
  /** Of a pod that was to be made. */
  readonly refusal: string | undefined;
};

function writeStatus(region: Region, set: ReplicaSet, { active, replicas, refusal }: Counted): void {
  const { name, namespace, generation } = set.metadata;
  const ready = active.filter(isReady).length;
  const status = {
    replicas,
    fullyLabeledReplicas: replicas,
    readyReplicas: ready,
    availableReplicas: ready,
    observedGeneration: generation,
    ...(refusal === undefined ? {} : { conditions: [failureOf(set) ?? failure(region, refusal)] }),
  };
  update(region, {
    ...{ resource: replicasets, namespace, name, part: "status" },
    propose: (current) => ({ ...current, status }),
  });
}

/** The words of the first refusal stay while it lasts: each try has a pod of another name. */
function failure({ clock }: Region, message: string): Condition {
  const lastTransitionTime = seconds(clock.now());
  return { type: replicaFailure, status: "True", reason: "FailedCreate", message, lastTransitionTime };
}
