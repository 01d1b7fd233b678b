import { create } from "../create.ts";
import type { Region } from "../region.ts";
import { endpoints, endpointslices, pods, services } from "../resources.ts";
import { keyOf, type Stored } from "../stored.ts";
import { update } from "../update.ts";
import { isReady, type Labels, type Pod, type Service } from "./workload-types.ts";

/** Annotation in which the node agent says where a pod of this machine listens. */
const portAnnotation = "slipway.dev/port";

/** The pods behind a Service, in both forms. One without a selector has the endpoints that somebody else writes. */
export function reconcileEndpoints(region: Region, service: Service): void {
  const { namespace, deletionTimestamp } = service.metadata;
  const { selector = {} } = service.spec;
  if (namespace === undefined || Object.keys(selector).length === 0 || deletionTimestamp !== undefined) return;
  const selected = (region.store.listLatest(pods, namespace) as Pod[]).filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined && selects(selector, metadata.labels),
  );
  writeEndpoints(region, namespace, service, selected);
  writeSlice(region, namespace, service, selected);
}

function writeEndpoints(region: Region, namespace: string, service: Service, selected: readonly Pod[]): void {
  const { name, labels } = service.metadata;
  const subsets = selected.flatMap((pod) => subsetOf(service, pod));
  const place = { resource: endpoints, namespace, name };
  if (region.store.latest(endpoints, keyOf(place)) === undefined) {
    const metadata = { name, ...(labels === undefined ? {} : { labels }), ownerReferences: [ownerOf(service)] };
    create(region, { resource: endpoints, namespace, body: { metadata, subsets } });
  } else update(region, { ...place, part: "whole", propose: (current) => ({ ...current, subsets }) });
}

/** One slice holds them all. It names no port: here each pod has one of its own, which Endpoints tell. */
function writeSlice(region: Region, namespace: string, service: Service, selected: readonly Pod[]): void {
  const found = selected.flatMap(endpointOf);
  const place = { resource: endpointslices, namespace, name: `${service.metadata.name}-slipway` };
  if (region.store.latest(endpointslices, keyOf(place)) === undefined) {
    const labels = { "kubernetes.io/service-name": service.metadata.name };
    const metadata = { name: place.name, labels, ownerReferences: [ownerOf(service)] };
    const body = { metadata, addressType: "IPv4", endpoints: found, ports: [] };
    create(region, { resource: endpointslices, namespace, body });
  } else update(region, { ...place, part: "whole", propose: (current) => ({ ...current, endpoints: found }) });
}

function endpointOf(pod: Pod): object[] {
  const ip = pod.status?.podIP;
  if (ip === undefined || ip === "") return [];
  const { name, namespace, uid } = pod.metadata;
  const ready = isReady(pod);
  const conditions = { ready, serving: ready, terminating: false };
  return [
    { addresses: [ip], conditions, nodeName: pod.spec.nodeName, targetRef: { kind: "Pod", namespace, name, uid } },
  ];
}

function ownerOf({ apiVersion, kind, metadata }: Service) {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true };
}

/** Pods share an address and differ by port, so that each is a subset of its own. */
function subsetOf({ spec }: Service, pod: Pod): object[] {
  const told = Number(pod.metadata.annotations?.[portAnnotation] ?? 0);
  const ip = pod.status?.podIP;
  if (ip === undefined || ip === "") return [];
  const { name, namespace, uid } = pod.metadata;
  const address = { ip, nodeName: pod.spec.nodeName, targetRef: { kind: "Pod", namespace, name, uid } };
  const ports = (spec.ports ?? []).flatMap(({ name: portName, protocol = "TCP", targetPort, port }) => {
    const number = told > 0 ? told : containerPort(pod, targetPort ?? port);
    return number === undefined
      ? []
      : [{ ...(portName === undefined ? {} : { name: portName }), port: number, protocol }];
  });
  if (ports.length === 0) return [];
  return [isReady(pod) ? { addresses: [address], ports } : { notReadyAddresses: [address], ports }];
}

/** On a node without the agent's annotation the manifest's port is the real one. */
function containerPort(pod: Pod, target: number | string): number | undefined {
  if (typeof target === "number") return target;
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return ports.find(({ name }) => name === target)?.containerPort;
}

/** Services of the pod's namespace that select it. */
export function servicesOf({ store }: Region, { metadata: { namespace, labels } }: Stored): Service[] {
  if (namespace === undefined) return [];
  return (store.listLatest(services, namespace) as Service[]).filter(({ spec }) => selects(spec.selector, labels));
}

function selects(selector: Labels | undefined, labels: Labels = {}): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([label, value]) => labels[label] === value);
}
