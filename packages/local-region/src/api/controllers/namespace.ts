import { create } from "../create.ts";
import { remove } from "../delete.ts";
import type { Region } from "../region.ts";
import { allResources, namespaces } from "../resources.ts";
import type { Stored } from "../stored.ts";
import { update } from "../update.ts";

/** Every region has this one, as every cluster has. */
export function ensureDefaultNamespace(region: Region): void {
  if (region.store.latest(namespaces, "/default") !== undefined) return;
  create(region, { resource: namespaces, namespace: undefined, body: { metadata: { name: "default" } } });
}

/** Empties a namespace that is being deleted, and lets it go when nothing is left in it. */
export function reconcileNamespace(region: Region, namespace: Stored): void {
  const { name, deletionTimestamp } = namespace.metadata;
  if (deletionTimestamp === undefined) return;
  const place = { resource: namespaces, namespace: undefined, name };
  const content = allResources
    .filter(({ namespaced }) => namespaced)
    .flatMap((resource) => region.store.listLatest(resource, name).map((object) => ({ resource, object })));
  if (content.length === 0) {
    update(region, { ...place, part: "whole", propose: (current) => ({ ...current, spec: { finalizers: [] } }) });
    return;
  }
  const status = { phase: "Terminating" };
  update(region, { ...place, part: "status", propose: (current) => ({ ...current, status }) });
  for (const { resource, object } of content) {
    if (object.metadata.deletionTimestamp !== undefined) continue;
    remove(region, { resource, namespace: name, name: object.metadata.name }, {});
  }
}
