import { foreground, orphan, remove } from "../delete.ts";
import type { Region } from "../region.ts";
import { allResources, type Resource, resourceOfKind } from "../resources.ts";
import { keyOf, type Stored } from "../stored.ts";
import { update } from "../update.ts";

/** Removes what is owned by something that is gone. */
export function collectIfOwnerless(region: Region, resource: Resource, object: Stored): void {
  const { ownerReferences = [], namespace, name, deletionTimestamp } = object.metadata;
  if (ownerReferences.length === 0 || deletionTimestamp !== undefined) return;
  const present = ownerReferences.filter((reference) => {
    const owner = resourceOfKind(reference.apiVersion, reference.kind);
    // Kinds that are not kept here cannot be judged.
    if (owner === undefined) return true;
    const key = keyOf({ name: reference.name, namespace: owner.namespaced ? namespace : undefined });
    return region.store.latest(owner, key)?.metadata.uid === reference.uid;
  });
  if (present.length > 0) return;
  const { uid } = object.metadata;
  remove(region, { resource, namespace, name }, { propagationPolicy: "Background", preconditions: { uid } });
}

export function dependentsOf({ store }: Region, owner: Stored): { resource: Resource; object: Stored }[] {
  const { uid, namespace } = owner.metadata;
  return allResources
    .filter(({ namespaced }) => namespaced || namespace === undefined)
    .flatMap((resource) =>
      store
        .listLatest(resource, resource.namespaced ? namespace : undefined)
        .filter(({ metadata }) => metadata.ownerReferences?.some((reference) => reference.uid === uid))
        .map((object) => ({ resource, object })),
    );
}

/** Does what the finalizers of an object that is being deleted ask for, and takes them off when it is done. */
export function finalizeOwner(region: Region, resource: Resource, owner: Stored): void {
  const { finalizers = [], deletionTimestamp, namespace, name } = owner.metadata;
  if (deletionTimestamp === undefined) return;
  const asked = finalizers.find((finalizer) => finalizer === foreground || finalizer === orphan);
  if (asked === undefined) return;
  const dependents = dependentsOf(region, owner);
  if (asked === orphan) for (const dependent of dependents) letGo(region, dependent, owner.metadata.uid);
  else if (dependents.length > 0) {
    for (const dependent of dependents) removeDependent(region, dependent);
    return;
  }
  const kept = finalizers.filter((finalizer) => finalizer !== asked);
  update(region, {
    ...{ resource, namespace, name, part: "whole" },
    propose: (current) => ({ ...current, metadata: { ...current.metadata, finalizers: kept } }),
  });
}

function removeDependent(region: Region, { resource, object }: { resource: Resource; object: Stored }): void {
  const { namespace, name, deletionTimestamp } = object.metadata;
  if (deletionTimestamp === undefined)
    remove(region, { resource, namespace, name }, { propagationPolicy: "Background" });
}

function letGo(region: Region, { resource, object }: { resource: Resource; object: Stored }, uid: string): void {
  const { namespace, name } = object.metadata;
  const { ownerReferences = [], ...metadata } = object.metadata;
  const left = ownerReferences.filter((reference) => reference.uid !== uid);
  update(region, {
    ...{ resource, namespace, name, part: "whole" },
    propose: (current) => ({
      ...current,
      metadata: { ...metadata, ...(left.length > 0 ? { ownerReferences: left } : {}) },
    }),
  });
}
