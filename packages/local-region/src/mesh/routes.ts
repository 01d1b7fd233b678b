import type { HttpRoute, MeshPod, MeshService, MeshVirtualService } from "./objects.ts";

export type Endpoint = { readonly host: string; readonly port: number; readonly pod: string; readonly version: string };

/** What a destination stands for: the ready pods that its Service selects. */
export type Backend = {
  /** The Service's whole name; null where there is none. */
  readonly host: string | null;
  readonly version: string;
  readonly endpoints: readonly Endpoint[];
};

export type WeightedBackend = { readonly backend: Backend; readonly weight: number };
export type Route = Omit<HttpRoute, "destinations"> & { readonly destinations: readonly WeightedBackend[] };
export type ServiceRoutes = { readonly service: string; readonly namespace: string; readonly routes: readonly Route[] };

/** By `<service>.<namespace>`. */
export type RouteTable = ReadonlyMap<string, ServiceRoutes>;

export type RouteInputs = {
  readonly services: readonly MeshService[];
  /** Ready ones only. */
  readonly pods: readonly MeshPod[];
  readonly virtualServices: readonly MeshVirtualService[];
};

const versionLabels = ["slipway.dev/version", "version"];

/** All routes of a region from its objects. A Service without a VirtualService sends everything to its own pods. Pure. */
export function buildRoutes({ services, pods, virtualServices }: RouteInputs): RouteTable {
  const backends = new Map(
    services.map((service) => [`${service.name}.${service.namespace}`, backendOf(service, pods)]),
  );
  const table = new Map<string, ServiceRoutes>();
  for (const { name, namespace } of services) {
    const backend = backends.get(`${name}.${namespace}`);
    if (backend === undefined) continue;
    const routes = [{ name: "", matches: null, destinations: [{ backend, weight: 100 }] }];
    table.set(`${name}.${namespace}`, { service: name, namespace, routes });
  }
  for (const virtual of virtualServices) {
    const routes = virtual.routes.map((route) => resolveRoute(route, virtual.namespace, backends));
    for (const host of virtual.hosts) {
      const { service, namespace } = splitHost(host, virtual.namespace);
      table.set(`${service}.${namespace}`, { service, namespace, routes });
    }
  }
  return table;
}

function backendOf({ name, namespace, selector }: MeshService, pods: readonly MeshPod[]): Backend {
  const wanted = Object.entries(selector);
  const selected = pods.filter(
    (pod) =>
      wanted.length > 0 && pod.namespace === namespace && wanted.every(([label, value]) => pod.labels[label] === value),
  );
  return {
    host: `${name}.${namespace}.svc.cluster.local`,
    version: versionOf(selector) ?? name,
    endpoints: selected
      .map((pod) => ({ host: pod.host, port: pod.port, pod: pod.name, version: versionOf(pod.labels) ?? name }))
      .sort((a, b) => (a.pod < b.pod ? -1 : 1)),
  };
}

function versionOf(labels: Readonly<Record<string, string>>): string | undefined {
  return versionLabels.map((label) => labels[label]).find((value) => value !== undefined && value !== "");
}

function resolveRoute(route: HttpRoute, namespace: string, backends: ReadonlyMap<string, Backend>): Route {
  const destinations = route.destinations.map(({ host, subset, weight }): WeightedBackend => {
    const target = splitHost(host, namespace);
    const backend = backends.get(`${target.service}.${target.namespace}`);
    // A destination that does not exist, or a subset (not known here), keeps its share and fails it, as in Istio.
    const missing: Backend = { host: null, version: target.service, endpoints: [] };
    return { backend: subset === undefined ? (backend ?? missing) : missing, weight };
  });
  return { ...route, destinations };
}

/** `orders`, `orders.prod` and `orders.prod.svc.cluster.local` are one host. */
function splitHost(host: string, ownNamespace: string): { service: string; namespace: string } {
  const [service = "", namespace = ownNamespace] = host.split(".");
  return { service, namespace };
}

/** Key of the table for a Host header: its first two labels. Undefined where there are fewer. */
export function hostKey(header: string | undefined): string | undefined {
  const [service, namespace] = (header ?? "").toLowerCase().replace(/:\d+$/, "").split(".");
  return service === undefined || namespace === undefined ? undefined : `${service}.${namespace}`;
}

/** Percent by version that a request without special marks meets: the first route that takes every request. */
export function servedWeights({ routes }: ServiceRoutes): ReadonlyMap<string, number> {
  const destinations = routes.find((route) => route.matches === null)?.destinations ?? [];
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0);
  const weights = new Map<string, number>();
  for (const { backend, weight } of destinations) {
    const percent = total === 0 ? 0 : (weight / total) * 100;
    weights.set(backend.version, (weights.get(backend.version) ?? 0) + percent);
  }
  return weights;
}
