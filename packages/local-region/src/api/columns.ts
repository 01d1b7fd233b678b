import { idOf, type Resource } from "./resources.ts";
import { fieldAt, isRecord, type Stored } from "./stored.ts";

export type Column = {
  readonly name: string;
  readonly type: "string" | "integer";
  readonly format?: "name";
  /** Above 0 = with `-o wide` only. */
  readonly priority: 0 | 1;
  readonly cell: (object: Stored, now: number) => string | number;
};

type Cell = Column["cell"];

const column = (name: string, cell: Cell): Column => ({ name, type: "string", priority: 0, cell });
const number = (name: string, cell: Cell): Column => ({ name, type: "integer", priority: 0, cell });
const wide = (name: string, cell: Cell): Column => ({ name, type: "string", priority: 1, cell });
const nameColumn: Column = { ...column("Name", ({ metadata }) => metadata.name), format: "name" };
const age = column("Age", ({ metadata }, now) => ageOf(metadata.creationTimestamp, now));

const none = "<none>";
const at =
  (...path: string[]): Cell =>
  (object) => {
    const value = fieldAt(object, ...path);
    return value === undefined || value === null || value === "" ? none : String(value);
  };
const count =
  (...path: string[]): Cell =>
  (object) =>
    Number(fieldAt(object, ...path) ?? 0);
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const joined = (values: readonly unknown[]): string => (values.length === 0 ? none : values.join(","));
const entries: Cell = ({ data }) => (isRecord(data) ? Object.keys(data).length : 0);
const containers = (object: Stored): readonly unknown[] => {
  const template = fieldAt(object, "spec", "template", "spec", "containers");
  return list(template ?? fieldAt(object, "spec", "containers"));
};
const images: Cell = (object) => joined(containers(object).map((each) => fieldAt(each, "image")));
const containerNames: Cell = (object) => joined(containers(object).map((each) => fieldAt(each, "name")));
const selector =
  (...path: string[]): Cell =>
  (object) => {
    const labels = fieldAt(object, ...path);
    return isRecord(labels) ? joined(Object.entries(labels).map(([name, value]) => `${name}=${value}`)) : none;
  };

const byResource: Readonly<Record<string, readonly Column[]>> = {
  "/namespaces": [column("Status", at("status", "phase")), age],
  "/nodes": [
    column("Status", () => "Ready"),
    column("Roles", () => none),
    age,
    column("Version", at("status", "nodeInfo", "kubeletVersion")),
  ],
  "/pods": [
    column("Ready", readyContainers),
    column("Status", podState),
    column("Restarts", (pod) => String(restarts(pod))),
    age,
    wide("IP", at("status", "podIP")),
    wide("Node", at("spec", "nodeName")),
    wide("Port", at("metadata", "annotations", "slipway.dev/port")),
  ],
  "/services": [
    column("Type", at("spec", "type")),
    column("Cluster-IP", at("spec", "clusterIP")),
    column("External-IP", () => none),
    column("Port(s)", servicePorts),
    age,
    wide("Selector", selector("spec", "selector")),
  ],
  "/endpoints": [column("Endpoints", endpointAddresses), age],
  "/events": [
    column("Last Seen", (event, now) => ageOf(String(event.lastTimestamp ?? event.metadata.creationTimestamp), now)),
    column("Type", at("type")),
    column("Reason", at("reason")),
    column(
      "Object",
      (event) =>
        `${String(fieldAt(event, "involvedObject", "kind")).toLowerCase()}/${fieldAt(event, "involvedObject", "name")}`,
    ),
    wide("Source", at("source", "component")),
    column("Message", at("message")),
    wide("Count", at("count")),
  ],
  "/configmaps": [number("Data", entries), age],
  "/secrets": [column("Type", at("type")), number("Data", entries), age],
  "apps/deployments": [
    column(
      "Ready",
      (object) => `${count("status", "readyReplicas")(object, 0)}/${count("spec", "replicas")(object, 0)}`,
    ),
    number("Up-to-date", count("status", "updatedReplicas")),
    number("Available", count("status", "availableReplicas")),
    age,
    wide("Containers", containerNames),
    wide("Images", images),
    wide("Selector", selector("spec", "selector", "matchLabels")),
  ],
  "apps/replicasets": [
    number("Desired", count("spec", "replicas")),
    number("Current", count("status", "replicas")),
    number("Ready", count("status", "readyReplicas")),
    age,
    wide("Containers", containerNames),
    wide("Images", images),
    wide("Selector", selector("spec", "selector", "matchLabels")),
  ],
  "networking.istio.io/virtualservices": [
    column("Gateways", (object) => shown(fieldAt(object, "spec", "gateways"))),
    column("Hosts", (object) => shown(fieldAt(object, "spec", "hosts"))),
    age,
    wide("Weights", weights),
    wide("Fence", at("metadata", "annotations", "slipway.dev/fence")),
  ],
  "networking.istio.io/destinationrules": [column("Host", at("spec", "host")), age],
  "coordination.k8s.io/leases": [column("Holder", at("spec", "holderIdentity")), age],
};

/** The columns that kubectl shows of a resource, its name first. */
export function columnsOf(resource: Resource): readonly Column[] {
  return [nameColumn, ...(byResource[idOf(resource)] ?? [age])];
}

/** As a list in kubectl's own words: empty where there is none. */
function shown(value: unknown): string {
  return Array.isArray(value) ? JSON.stringify(value) : "";
}

function weights(object: Stored): string {
  const routes = list(fieldAt(object, "spec", "http"));
  const ours = routes.find((route) => fieldAt(route, "name") === "slipway") ?? routes[0];
  const destinations = list(fieldAt(ours, "route"));
  const alone = destinations.length === 1 ? 100 : 0;
  return joined(
    destinations.map((each) => `${fieldAt(each, "destination", "host")}=${fieldAt(each, "weight") ?? alone}`),
  );
}

function statuses(pod: Stored): readonly unknown[] {
  return list(fieldAt(pod, "status", "containerStatuses"));
}

function readyContainers(pod: Stored): string {
  return `${statuses(pod).filter((each) => fieldAt(each, "ready") === true).length}/${containers(pod).length}`;
}

function restarts(pod: Stored): number {
  return statuses(pod).reduce((sum: number, each) => sum + Number(fieldAt(each, "restartCount") ?? 0), 0);
}

/** As the real server names it: what the container waits for or ended with, before the pod's phase. */
function podState(pod: Stored): string {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating";
  for (const each of statuses(pod)) {
    const waiting = fieldAt(each, "state", "waiting", "reason");
    if (typeof waiting === "string" && waiting !== "") return waiting;
    const terminated = fieldAt(each, "state", "terminated");
    if (terminated === undefined) continue;
    const reason = fieldAt(terminated, "reason");
    return typeof reason === "string" && reason !== "" ? reason : `ExitCode:${fieldAt(terminated, "exitCode")}`;
  }
  return String(fieldAt(pod, "status", "phase") ?? "Unknown");
}

function servicePorts(service: Stored): string {
  return joined(
    list(fieldAt(service, "spec", "ports")).map((each) => `${fieldAt(each, "port")}/${fieldAt(each, "protocol")}`),
  );
}

function endpointAddresses(object: Stored): string {
  return joined(
    list(object.subsets).flatMap((subset) =>
      list(fieldAt(subset, "addresses")).flatMap((address) =>
        list(fieldAt(subset, "ports")).map((port) => `${fieldAt(address, "ip")}:${fieldAt(port, "port")}`),
      ),
    ),
  );
}

/** As kubectl writes durations: `42s`, `5m3s`, `3h12m`, `2d4h`, `12d`. */
export function ageOf(since: string, now: number): string {
  const total = Math.max(0, Math.floor((now - Date.parse(since)) / 1_000));
  if (Number.isNaN(total)) return "<unknown>";
  const [minutes, hours, days] = [Math.floor(total / 60), Math.floor(total / 3_600), Math.floor(total / 86_400)];
  const rest = (amount: number, unit: string) => (amount === 0 ? "" : `${amount}${unit}`);
  if (total < 120) return `${total}s`;
  if (minutes < 10) return `${minutes}m${rest(total % 60, "s")}`;
  if (hours < 3) return `${minutes}m`;
  if (hours < 8) return `${hours}h${rest(minutes % 60, "m")}`;
  if (hours < 48) return `${hours}h`;
  return days < 8 ? `${days}d${rest(hours % 24, "h")}` : `${days}d`;
}
