import { type HostTotals, histogram, noTotals } from "./host-totals.ts";
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
  for (const sample of samples) if (isOurs(sample, request)) count(totals, sample);
  return {
    processEpoch: String(epoch.value),
    versions: Object.fromEntries([...totals].map(([version, hosts]) => [version, { hosts: hostReadings(hosts) }])),
    servedWeight: servedWeight(samples, request),
  };
}

function isOurs({ name, labels }: Sample, request: ReadRequest): boolean {
  return (
    (name === requestsName || name === bucketName) &&
    labels.reporter === "destination" &&
    labels.destination_workload_namespace === request.environment
  );
}

function count(totals: Map<string, Map<string, HostTotals>>, { name, labels, value }: Sample): void {
  const hosts = totals.get(labels.destination_workload ?? "");
  if (hosts === undefined) return;
  const pod = labels.pod ?? "";
  const host = hosts.get(pod) ?? noTotals();
  hosts.set(pod, host);
  if (name === requestsName) {
    host.requests += value;
    if (Number(labels.response_code) >= 500) host.errors += value;
    return;
  }
  const bound = labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le);
  host.buckets.set(bound, (host.buckets.get(bound) ?? 0) + value);
}

function hostReadings(hosts: Map<string, HostTotals>): Record<string, HostReading> {
  return Object.fromEntries(
    [...hosts].map(([pod, { requests, errors, buckets }]) => [pod, { requests, errors, latency: histogram(buckets) }]),
  );
}

function servedWeight(samples: readonly Sample[], request: ReadRequest): Record<string, number> | null {
  const weights = samples.filter(
    ({ name, labels }) =>
      name === weightName && labels.service === request.service && labels.namespace === request.environment,
  );
  if (weights.length === 0) return null;
  return Object.fromEntries(weights.map(({ labels, value }) => [labels.version ?? "", value]));
}
