import type { Clock } from "@slipway/kernel";
import type { Logger, PodLogs } from "../agent/types.ts";
import { namespaces, type Resource } from "./resources.ts";
import type { Store } from "./store.ts";
import { seconds } from "./stored.ts";

/** What every request and every controller works on. */
export type Region = {
  readonly name: string;
  /** Node that pods are bound to. */
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly podLogs: PodLogs | undefined;
};

/** Where an object stands, from a path that was checked: `namespace` is there exactly when the resource has one. */
export type Place = {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
};

const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** Letters that spell no word, as the real server appends to generateName. */
export function suffix(random: () => number, length = 5): string {
  return Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
}

export function timestamp({ clock }: Region): string {
  return seconds(clock.now());
}

/** Undefined for one that is not there; a namespace that is being deleted takes no new objects. */
export function namespaceState({ store }: Region, name: string): "active" | "terminating" | undefined {
  const namespace = store.latest(namespaces, `/${name}`);
  if (namespace === undefined) return undefined;
  return namespace.metadata.deletionTimestamp === undefined ? "active" : "terminating";
}
