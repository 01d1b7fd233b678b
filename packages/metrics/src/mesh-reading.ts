import { callerName, type HostTotals, noTotals, readingOfHost } from "./host-totals.ts";
import { unreachedFlags } from "./metric-shape.ts";
import { prometheusParser, type Sample } from "./prometheus-text.ts";
import { type HostReading, MetricsUnreadable, type Reading, type ReadRequest } from "./types.ts";

const requestsName = "istio_requests_total";
const bucketName = "istio_request_duration_milliseconds_bucket";
const weightName = "slipway_mesh_route_weight";
const epochName = "slipway_mesh_process_start_time_seconds";
const names = new Set([requestsName, bucketName, weightName, epochName]);

/** Readings of services from pages of one mesh proxy of a local region. Each is of its page alone. */
export function meshPageReader(): (page: string, request: ReadRequest) => Reading {
  const parse = prometheusParser(names);
  return (page, request) => readingOf(parse(page), request);
}

function readingOf(samples: readonly Sample[], request: ReadRequest): Reading {
  const epoch = samples.find((sample) => sample.name === epochName);
  if (epoch === undefined) throw new MetricsUnreadable(`the metrics page has no ${epochName}`);
  const wanted = new Set<string>(request.versions);
  const totals = new Map<string, Map<string, HostTotals>>([...wanted].map((version) => [version, new Map()]));
  for (const sample of samples) count(totals, sample, request);
  return {
    processEpoch: String(epoch.value),
    versions: Object.fromEntries([...totals].map(([version, hosts]) => [version, { hosts: hostReadings(hosts) }])),
    servedWeight: servedWeight(samples, request),
  };
}

function isCounted({ name, labels }: Sample, request: ReadRequest): boolean {
  return (
    (name === requestsName || name === bucketName) &&
    labels.reporter === "destination" &&
    labels.destination_workload_namespace === request.environment
  );
}

/** How callers that reached no pod name the version, as Istio's do; it is the caller's proxy that has this page. */
const flags = new RegExp(`^${unreachedFlags}$`);
const serviceHost = /^([^.]+)\.([^.]+)\.svc\./;

function unreachedVersion({ name, labels }: Sample, request: ReadRequest): string | undefined {
  if (name !== requestsName || labels.reporter !== "source" || !flags.test(labels.response_flags ?? ""))
    return undefined;
  const [, version, namespace] = serviceHost.exec(labels.destination_service ?? "") ?? [];
  return namespace === request.environment ? version : undefined;
}

type Totals = ReadonlyMap<string, Map<string, HostTotals>>;

function count(totals: Totals, sample: Sample, request: ReadRequest): void {
  const { name, labels, value } = sample;
  if (isCounted(sample, request)) {
    const host = hostOf(totals, labels.destination_workload, labels.pod ?? "");
    if (host === undefined) return;
    if (name === requestsName) {
      host.requests += value;
      if (Number(labels.response_code) >= 500) host.errors += value;
      return;
    }
    const bound = labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le);
    host.buckets.set(bound, (host.buckets.get(bound) ?? 0) + value);
    return;
  }
  const caller = hostOf(totals, unreachedVersion(sample, request), callerName(labels.pod ?? "mesh"), true);
  if (caller === undefined) return;
  caller.requests += value;
  caller.errors += value;
}

function hostOf(totals: Totals, version: string | undefined, name: string, unreached = false): HostTotals | undefined {
  const hosts = totals.get(version ?? "");
  const host = hosts?.get(name) ?? { ...noTotals(), unreached };
  hosts?.set(name, host);
  return hosts && host;
}

function hostReadings(hosts: Map<string, HostTotals>): Record<string, HostReading> {
  return Object.fromEntries([...hosts].map(([pod, totals]) => [pod, readingOfHost(totals)]));
}

function servedWeight(samples: readonly Sample[], request: ReadRequest): Record<string, number> | null {
  const weights = samples.filter(
    ({ name, labels }) =>
      name === weightName && labels.service === request.service && labels.namespace === request.environment,
  );
  if (weights.length === 0) return null;
  return Object.fromEntries(weights.map(({ labels, value }) => [labels.version ?? "", value]));
}
