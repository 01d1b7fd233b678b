import type { PodSpec } from "./pod-spec.ts";
import { lowestSlot } from "./ports.ts";

/**
 * What a node gives its pods to listen on. `host`: the machine's own network, each pod a port of 127.0.0.1. `addresses`: each pod an address under
 * two bytes of this node's own (`10.77`), and the port that its container names; for regions that take no loopback address for a pod. The machine
 * must have these addresses (`ip route add local 10.77.0.0/16 dev lo`).
 */
export type PodNetwork = { readonly kind: "host" } | { readonly kind: "addresses"; readonly prefix: string };

export type PodPlace = { readonly host: string; readonly port: number };

const defaultPort = 8_080;

/** Where the pod listens that has this slot: a number of its own among the node's pods, which in the host's network is its port. Pure. */
export function placeOf(network: PodNetwork, pod: PodSpec, slot: number): PodPlace {
  if (network.kind === "host") return { host: "127.0.0.1", port: slot };
  // A network's first address is its own.
  const number = slot - lowestSlot + 1;
  return { host: `${network.prefix}.${number >> 8}.${number & 255}`, port: pod.containerPort ?? defaultPort };
}
