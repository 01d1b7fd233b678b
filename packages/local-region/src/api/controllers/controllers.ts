import type { StoreEvent } from "../history.ts";
import type { Region } from "../region.ts";
import {
  allResources,
  deployments,
  events,
  idOf,
  namespaces,
  pods,
  type Resource,
  replicasets,
  services,
} from "../resources.ts";
import { keyOf, type Stored } from "../stored.ts";
import { reconcileDeployment } from "./deployment.ts";
import { reconcileEndpoints, servicesOf } from "./endpoints.ts";
import { eventExpiry } from "./expire-events.ts";
import { collectIfOwnerless, dependentsOf, finalizeOwner } from "./garbage.ts";
import { ensureDefaultNamespace, reconcileNamespace } from "./namespace.ts";
import { WorkQueue } from "./queue.ts";
import { reconcileReplicaSet } from "./replica-set.ts";
import type { Deployment, ReplicaSet, Service } from "./workload-types.ts";

export type Controllers = { stop(): Promise<void> };

const byId = new Map(allResources.map((resource) => [idOf(resource), resource]));

/**
 * Brings the region's objects where their specifications want them:
 * Deployment -> ReplicaSet -> Pods, Service -> Endpoints, owners -> what they own, namespaces -> their contents.
 * Driven by changes only; at the start everything is looked at once, since changes before a crash may be unanswered.
 */
export function startControllers(region: Region): Controllers {
  const queue = new WorkQueue({ log: region.log, work: (key) => look(region, key) });
  const expireEvents = eventExpiry(region);
  ensureDefaultNamespace(region);
  for (const key of allKeys(region)) queue.add(key);
  const end = region.store.onChange((event) => {
    for (const key of touchedBy(region, event)) queue.add(key);
    if (event.resource === idOf(events) && event.previous === undefined) expireEvents();
  });
  // Nobody tells which of the lost writes were a controller's.
  const endLoss = region.store.onLoss(() => {
    for (const key of allKeys(region)) queue.addLater(key);
  });
  return {
    async stop() {
      end();
      endLoss();
      queue.stop();
    },
  };
}

function allKeys({ store }: Region): string[] {
  return allResources.flatMap((resource) =>
    store.listLatest(resource).map(({ metadata }) => keyFor(resource, keyOf(metadata))),
  );
}

function keyFor(resource: Resource, key: string): string {
  return `${idOf(resource)} ${key}`;
}

/** The object itself, its owners, and whatever else depends on it. */
function touchedBy(region: Region, { resource: id, object, type, previous }: StoreEvent): string[] {
  const resource = byId.get(id);
  if (resource === undefined) return [];
  const { namespace } = object.metadata;
  const keys = [keyFor(resource, keyOf(object.metadata)), ...ownersOf(object)];
  if (resource === pods) {
    // One whose labels were changed leaves the Services that selected it before.
    const selecting = [object, ...(previous === undefined ? [] : [previous])].flatMap((pod) => servicesOf(region, pod));
    keys.push(...selecting.map(({ metadata }) => keyFor(services, keyOf(metadata))));
  }
  if (type === "put" || resource === events) return keys;
  keys.push(...dependentsOf(region, object).map((each) => keyFor(each.resource, keyOf(each.object.metadata))));
  if (namespace !== undefined && isEnding(region, namespace)) keys.push(keyFor(namespaces, `/${namespace}`));
  return keys;
}

function ownersOf({ metadata }: Stored): string[] {
  return (metadata.ownerReferences ?? []).flatMap(({ apiVersion, kind, name }) => {
    const owner = allResources.find((each) => each.kind === kind && apiVersion.endsWith(each.version));
    if (owner === undefined) return [];
    return [keyFor(owner, keyOf({ name, namespace: owner.namespaced ? metadata.namespace : undefined }))];
  });
}

function isEnding({ store }: Region, namespace: string): boolean {
  return store.latest(namespaces, `/${namespace}`)?.metadata.deletionTimestamp !== undefined;
}

function look(region: Region, name: string): number | undefined {
  const [id = "", key = ""] = name.split(" ");
  const resource = byId.get(id);
  const object = resource === undefined ? undefined : region.store.latest(resource, key);
  if (resource === undefined || object === undefined) return undefined;
  collectIfOwnerless(region, resource, object);
  finalizeOwner(region, resource, object);
  const present = region.store.latest(resource, key);
  if (present === undefined) return undefined;
  if (resource === deployments) return reconcileDeployment(region, present as Deployment);
  if (resource === replicasets) return reconcileReplicaSet(region, present as ReplicaSet);
  if (resource === services) reconcileEndpoints(region, present as Service);
  else if (resource === namespaces) reconcileNamespace(region, present);
  return undefined;
}
