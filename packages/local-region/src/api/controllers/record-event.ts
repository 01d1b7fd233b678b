import { create } from "../create.ts";
import { type Region, suffix, timestamp } from "../region.ts";
import { events } from "../resources.ts";
import { fieldAt, type Stored } from "../stored.ts";
import { update } from "../update.ts";

export type Happened = {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly component: string;
};

/** Notes what a controller did to an object, for `kubectl describe`. The same again counts up. Never throws. */
export function recordEvent(region: Region, about: Stored, happened: Happened): void {
  try {
    const namespace = about.metadata.namespace ?? "default";
    const known = region.store.listLatest(events, namespace).findLast((event) => isSame(event, about, happened));
    if (known === undefined) create(region, { resource: events, namespace, body: newEvent(region, about, happened) });
    else {
      update(region, {
        ...{ resource: events, namespace, name: known.metadata.name, part: "whole" },
        propose: (event) => ({ ...event, count: Number(event.count ?? 1) + 1, lastTimestamp: timestamp(region) }),
      });
    }
  } catch (error) {
    // A namespace that ends takes no events, and a deed must not fail for want of its note.
    region.log.debug({ message: String(error), reason: happened.reason }, "event was not recorded");
  }
}

function isSame(event: Stored, about: Stored, { reason, message }: Happened): boolean {
  return (
    fieldAt(event, "involvedObject", "uid") === about.metadata.uid &&
    event.reason === reason &&
    event.message === message
  );
}

function newEvent(region: Region, about: Stored, { type, reason, message, component }: Happened): object {
  const { name, namespace, uid, resourceVersion } = about.metadata;
  const now = timestamp(region);
  return {
    metadata: { name: `${name}.${suffix(region.random, 10)}` },
    involvedObject: { kind: about.kind, namespace, name, uid, apiVersion: about.apiVersion, resourceVersion },
    ...{ type, reason, message, count: 1, firstTimestamp: now, lastTimestamp: now },
    source: { component },
    reportingComponent: component,
    reportingInstance: "",
  };
}
