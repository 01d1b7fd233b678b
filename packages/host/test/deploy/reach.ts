import { z } from "zod";
import type { Rendered } from "./helm.ts";

/** Who speaks, or is spoken to: a pod of the cluster, or somebody outside of it. */
export type Party =
  | { readonly kind: "pod"; readonly namespace: string; readonly labels: Readonly<Record<string, string>> }
  | { readonly kind: "address"; readonly ip: string };

const Labels = z.strictObject({ matchLabels: z.record(z.string(), z.string()).optional() });
const Peer = z.strictObject({
  podSelector: Labels.optional(),
  namespaceSelector: Labels.optional(),
  ipBlock: z.strictObject({ cidr: z.string(), except: z.array(z.string()).optional() }).optional(),
});
const Ports = z.array(z.strictObject({ protocol: z.enum(["TCP", "UDP"]), port: z.union([z.number(), z.string()]) }));
const Spec = z.strictObject({
  podSelector: Labels,
  policyTypes: z.array(z.enum(["Ingress", "Egress"])),
  ingress: z.array(z.strictObject({ from: z.array(Peer).optional(), ports: Ports.optional() })).optional(),
  egress: z.array(z.strictObject({ to: z.array(Peer).optional(), ports: Ports.optional() })).optional(),
});
type Policy = { readonly namespace: string; readonly spec: z.output<typeof Spec> };
type Rule = { readonly peers: readonly z.output<typeof Peer>[]; readonly ports: z.output<typeof Ports> | undefined };

/** The one named port of these pods. */
const http = 7400;

/** Reads the NetworkPolicies of a chart; anything in them that is not understood here is an error. */
export function policiesOf(objects: readonly Rendered[], release: string): readonly Policy[] {
  return objects
    .filter(({ kind }) => kind === "NetworkPolicy")
    .map(({ metadata, spec }) => ({ namespace: metadata.namespace ?? release, spec: Spec.parse(spec) }));
}

/** Whether a cluster that keeps them lets this through, as Kubernetes defines it: what no policy selects is open, and rules add up. */
export function allows(policies: readonly Policy[], from: Party, to: Party, port: number): boolean {
  return (
    passes(policies, "Egress", from, to, port) && (to.kind === "address" || passes(policies, "Ingress", to, from, port))
  );
}

function passes(
  policies: readonly Policy[],
  type: "Ingress" | "Egress",
  own: Party,
  other: Party,
  port: number,
): boolean {
  if (own.kind === "address") return true;
  const about = policies.filter(
    ({ namespace, spec }) =>
      namespace === own.namespace && spec.policyTypes.includes(type) && matches(spec.podSelector, own.labels),
  );
  return (
    about.length === 0 ||
    about.some(({ namespace, spec }) =>
      rulesOf(spec, type).some(
        ({ peers, ports }) =>
          (ports === undefined || ports.some((one) => (one.port === "http" ? http : one.port) === port)) &&
          // Nobody named is everybody.
          (peers.length === 0 || peers.some((peer) => isPeer(peer, other, namespace))),
      ),
    )
  );
}

function rulesOf(spec: Policy["spec"], type: "Ingress" | "Egress"): readonly Rule[] {
  return type === "Ingress"
    ? (spec.ingress ?? []).map(({ from = [], ports }) => ({ peers: from, ports }))
    : (spec.egress ?? []).map(({ to = [], ports }) => ({ peers: to, ports }));
}

function isPeer(peer: z.output<typeof Peer>, other: Party, namespace: string): boolean {
  if (peer.ipBlock !== undefined) {
    const { cidr, except = [] } = peer.ipBlock;
    return other.kind === "address" && within(other.ip, cidr) && !except.some((block) => within(other.ip, block));
  }
  if (other.kind === "address") return false;
  const inNamespace =
    peer.namespaceSelector === undefined
      ? other.namespace === namespace
      : matches(peer.namespaceSelector, { "kubernetes.io/metadata.name": other.namespace });
  return inNamespace && (peer.podSelector === undefined || matches(peer.podSelector, other.labels));
}

function matches({ matchLabels = {} }: z.output<typeof Labels>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}

function within(ip: string, cidr: string): boolean {
  const [base = "", bits = "32"] = cidr.split("/");
  const width = 2 ** (32 - Number(bits));
  return Math.floor(numberOf(ip) / width) === Math.floor(numberOf(base) / width);
}

function numberOf(ip: string): number {
  return ip.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}
