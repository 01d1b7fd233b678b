import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { create } from "../create.ts";
import { remove } from "../delete.ts";
import type { Region } from "../region.ts";
import { deployments, replicasets } from "../resources.ts";
import { fieldAt } from "../stored.ts";
import { update } from "../update.ts";
import { deploymentStatus } from "./deployment-status.ts";
import { recordEvent } from "./record-event.ts";
import { ownerReference } from "./replica-set.ts";
import { nextSizes, type Sizes } from "./rollout.ts";
import { controllerOf, type Deployment, type PodTemplate, type ReplicaSet } from "./workload-types.ts";

const component = "deployment-controller";
const hashLabel = "pod-template-hash";
const revisionAnnotation = "deployment.kubernetes.io/revision";

/**
 * One replica set per template, replicas moved to the present one in the limits of the strategy. The answer says after how
 * many milliseconds to look again, where time alone changes something.
 */
export function reconcileDeployment(region: Region, deployment: Deployment): number | undefined {
  const { namespace, uid } = deployment.metadata;
  if (namespace === undefined || deployment.metadata.deletionTimestamp !== undefined) return undefined;
  const own = (region.store.listLatest(replicasets, namespace) as ReplicaSet[])
    .filter((set) => controllerOf(set) === uid)
    .sort((a, b) => revisionOf(a) - revisionOf(b));
  const current = own.find((set) => isOf(set, deployment)) ?? makeReplicaSet(region, deployment, own);
  const old = own.filter((set) => set.metadata.uid !== current.metadata.uid);
  const next = nextSizes(deployment.spec, { current: sizesOf(current), old: old.map(sizesOf) });
  scale(region, deployment, current, next.current);
  for (const [index, set] of old.entries()) scale(region, deployment, set, next.old[index] ?? 0);
  forgetOld(region, deployment, old);
  return writeStatus(region, deployment, current, old);
}

function sizesOf({ spec, status }: ReplicaSet): Sizes {
  return { desired: spec.replicas, available: status?.availableReplicas ?? 0 };
}

function revisionOf({ metadata }: ReplicaSet): number {
  return Number(metadata.annotations?.[revisionAnnotation] ?? 0);
}

function isOf(set: ReplicaSet, { spec }: Deployment): boolean {
  const { [hashLabel]: _hash, ...labels } = set.spec.template.metadata?.labels ?? {};
  const template = { ...set.spec.template, metadata: { ...set.spec.template.metadata, labels } };
  return isDeepStrictEqual(template, withLabels(spec.template));
}

function withLabels(template: PodTemplate): PodTemplate {
  return { ...template, metadata: { ...template.metadata, labels: template.metadata?.labels ?? {} } };
}

function makeReplicaSet(region: Region, deployment: Deployment, own: readonly ReplicaSet[]): ReplicaSet {
  const { spec, metadata } = deployment;
  const hash = createHash("sha256").update(JSON.stringify(spec.template)).digest("hex").slice(0, 10);
  const label = { [hashLabel]: hash };
  const labels = { ...spec.template.metadata?.labels, ...label };
  const revision = String(Math.max(0, ...own.map(revisionOf)) + 1);
  const body = {
    metadata: {
      name: `${metadata.name}-${hash}`,
      labels,
      annotations: { ...metadata.annotations, [revisionAnnotation]: revision },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: 0,
      selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, ...label } },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
  const { object } = create(region, { resource: replicasets, namespace: metadata.namespace, body });
  update(region, {
    ...{ resource: deployments, namespace: metadata.namespace, name: metadata.name, part: "whole" },
    propose: (now) => ({
      ...now,
      metadata: { ...now.metadata, annotations: { ...now.metadata.annotations, [revisionAnnotation]: revision } },
    }),
  });
  return object as ReplicaSet;
}

function scale(region: Region, deployment: Deployment, set: ReplicaSet, replicas: number): void {
  if (set.spec.replicas === replicas) return;
  const { name, namespace } = set.metadata;
  update(region, {
    ...{ resource: replicasets, namespace, name, part: "whole" },
    propose: (current) => ({ ...current, spec: { ...set.spec, replicas } }),
  });
  const direction = replicas > set.spec.replicas ? "up" : "down";
  const message = `Scaled ${direction} replica set ${name} from ${set.spec.replicas} to ${replicas}`;
  recordEvent(region, deployment, { type: "Normal", reason: "ScalingReplicaSet", message, component });
}

/** Replica sets that are empty and older than the history that was asked for. */
function forgetOld(region: Region, { spec }: Deployment, old: readonly ReplicaSet[]): void {
  const empty = old.filter((set) => set.spec.replicas === 0 && (fieldAt(set, "status", "replicas") ?? 0) === 0);
  for (const { metadata } of empty.slice(0, Math.max(0, old.length - spec.revisionHistoryLimit))) {
    remove(region, { resource: replicasets, namespace: metadata.namespace, name: metadata.name }, {});
  }
}

function writeStatus(
  region: Region,
  { metadata: { name, namespace } }: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
): number | undefined {
  let lookAgainMs: number | undefined;
  update(region, {
    ...{ resource: deployments, namespace, name, part: "status" },
    propose: (object) => {
      const next = deploymentStatus(object as Deployment, current, old, region.clock.now());
      lookAgainMs = next.lookAgainMs;
      return { ...object, status: next.status };
    },
  });
  return lookAgainMs;
}
