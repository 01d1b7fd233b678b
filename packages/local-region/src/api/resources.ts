/** One kind of object that the server keeps. */
export type Resource = {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** `status` is written through its own subresource only. */
  readonly status: boolean;
  readonly scale: boolean;
  /** Which objects count their specification's changes in metadata.generation. */
  readonly generation: boolean;
  /** Defined by a CustomResourceDefinition on a real cluster: no strategic merge patch, updates need a resourceVersion. */
  readonly custom: boolean;
  /** A label of DNS-1035 instead of a DNS-1123 subdomain. */
  readonly shortName: boolean;
};

type Traits = Partial<Omit<Resource, "group" | "version" | "plural" | "singular" | "kind">>;

function resource(group: string, version: string, plural: string, kind: string, traits: Traits = {}): Resource {
  return {
    ...{ group, version, plural, kind, singular: kind.toLowerCase() },
    ...{ namespaced: true, shortNames: [], categories: [], status: false, scale: false },
    ...{ generation: false, custom: false, shortName: false },
    ...traits,
  };
}

const istio = "networking.istio.io";
const istioTraits: Traits = { status: true, generation: true, custom: true };

export const namespaces = resource("", "v1", "namespaces", "Namespace", {
  namespaced: false,
  shortNames: ["ns"],
  status: true,
});
export const nodes = resource("", "v1", "nodes", "Node", { namespaced: false, shortNames: ["no"], status: true });
export const pods = resource("", "v1", "pods", "Pod", { shortNames: ["po"], categories: ["all"], status: true });
export const services = resource("", "v1", "services", "Service", {
  shortNames: ["svc"],
  categories: ["all"],
  status: true,
  shortName: true,
});
export const endpoints = resource("", "v1", "endpoints", "Endpoints", { shortNames: ["ep"] });
export const endpointslices = resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice");
export const events = resource("", "v1", "events", "Event", { shortNames: ["ev"] });
export const configmaps = resource("", "v1", "configmaps", "ConfigMap", { shortNames: ["cm"] });
export const secrets = resource("", "v1", "secrets", "Secret");
export const deployments = resource("apps", "v1", "deployments", "Deployment", {
  shortNames: ["deploy"],
  categories: ["all"],
  ...{ status: true, scale: true, generation: true },
});
export const replicasets = resource("apps", "v1", "replicasets", "ReplicaSet", {
  shortNames: ["rs"],
  categories: ["all"],
  ...{ status: true, scale: true, generation: true },
});
const virtualservices = resource(istio, "v1", "virtualservices", "VirtualService", {
  shortNames: ["vs"],
  categories: ["istio-io", "networking-istio-io"],
  ...istioTraits,
});
const destinationrules = resource(istio, "v1", "destinationrules", "DestinationRule", {
  shortNames: ["dr"],
  categories: ["istio-io", "networking-istio-io"],
  ...istioTraits,
});
/** Of what it may limit, the number of pods alone is kept (quota.ts). */
export const resourcequotas = resource("", "v1", "resourcequotas", "ResourceQuota", {
  shortNames: ["quota"],
  status: true,
});
const leases = resource("coordination.k8s.io", "v1", "leases", "Lease");

/** In the order in which discovery lists them. */
export const allResources: readonly Resource[] = [
  ...[namespaces, nodes, pods, services, endpoints, events, configmaps, secrets, resourcequotas],
  ...[deployments, replicasets, endpointslices, virtualservices, destinationrules, leases],
];

export function idOf({ group, plural }: Pick<Resource, "group" | "plural">): string {
  return `${group}/${plural}`;
}

export function apiVersionOf({ group, version }: Pick<Resource, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

const byPath = new Map(allResources.map((each) => [`${apiVersionOf(each)}/${each.plural}`, each]));
const byKind = new Map(allResources.map((each) => [`${apiVersionOf(each)}/${each.kind}`, each]));

export function resourceAt(apiVersion: string, plural: string): Resource | undefined {
  return byPath.get(`${apiVersion}/${plural}`);
}

export function resourceOfKind(apiVersion: string, kind: string): Resource | undefined {
  return byKind.get(`${apiVersion}/${kind}`);
}
