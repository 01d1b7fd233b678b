import { z } from "zod";
import type { ReadRequest } from "./types.ts";

const pattern = z.string().min(1).max(500);
/** The name of a label. */
export const MetricLabelSchema = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, "not the name of a label");

/**
 * How a mesh's metrics are named. Patterns are whole regular expressions (RE2). In patterns and label values `{version}`, `{service}` and
 * `{namespace}` stand for those asked about, and `{namespace_}` for the namespace as it stands in a metric's name.
 */
export const MetricShapeSchema = z.strictObject({
  /** Pattern of the name of the counter of answers. */
  requests: pattern,
  /** Pattern of the name of the latency histogram's buckets. */
  latency: pattern,
  latency_unit: z.enum(["ms", "s"]).default("ms"),
  /** Labels that a series of the service has. */
  labels: z.record(MetricLabelSchema, z.string()).default({}),
  /** The label from which the version is read, and its pattern for one version. */
  version: z.strictObject({ label: MetricLabelSchema, pattern }),
  /** The first of these labels that a series has names the host that counted. */
  host: z.array(MetricLabelSchema).min(1).default(["pod", "instance"]),
  /** The label of the status, and its pattern where that is an error of the service. */
  error: z.strictObject({ label: MetricLabelSchema, pattern }),
  /** A gauge of each target that changes when the target's counters begin anew; joined by `instance`. */
  started: pattern.optional(),
  /** Percent by version that is served now: a gauge and its labels. */
  weight: z
    .strictObject({ name: pattern, labels: z.record(MetricLabelSchema, z.string()), version: MetricLabelSchema })
    .optional(),
  /** Pattern of the name of a series which is there whenever the mesh is scraped, also where nothing was asked yet, and labels of it. */
  alive: z.strictObject({ name: pattern, labels: z.record(MetricLabelSchema, z.string()).default({}) }),
});
export type MetricShape = z.output<typeof MetricShapeSchema> & {
  /** Labels that all series of a region have, where one Prometheus has those of several. */
  readonly everywhere?: Readonly<Record<string, string>>;
};

/**
 * Istio's standard metrics, as the proxies of the destination count them. By workload: as the name of the service such a proxy takes the first Service that selects its pod, which is the
 * version's own.
 */
const istio = {
  requests: "istio_requests_total",
  latency: "istio_request_duration_milliseconds_bucket",
  labels: {
    reporter: "destination",
    destination_workload_namespace: "{namespace}",
  },
  version: { label: "destination_workload", pattern: "{version}" },
  host: ["pod", "instance"],
  error: { label: "response_code", pattern: "5.." },
  alive: { name: "istio_requests_total", labels: { destination_workload_namespace: "{namespace}" } },
};

/**
 * Those of an Envoy without Istio's filters, as the caller's proxy counts them: a cluster `outbound|80||<version>.<namespace>.svc.cluster.local` of
 * which Envoy makes a label out of the part before the first dot and a name out of the rest.
 */
const envoy = {
  requests: "envoy_cluster_{namespace_}_svc_cluster_local_+upstream_rq_xx",
  latency: "envoy_cluster_{namespace_}_svc_cluster_local_+upstream_rq_time_bucket",
  version: { label: "envoy_cluster_name", pattern: "outbound\\|[0-9]+\\|[^|]*\\|{version}" },
  host: ["instance"],
  error: { label: "envoy_response_code_class", pattern: "5" },
  alive: { name: "envoy_server_live" },
};

/** The mesh of a local region: Istio's names, and two more. */
const slipway = {
  ...istio,
  started: "slipway_mesh_process_start_time_seconds",
  weight: {
    name: "slipway_mesh_route_weight",
    labels: { service: "{service}", namespace: "{namespace}" },
    version: "version",
  },
  alive: { name: "slipway_mesh_process_start_time_seconds" },
};

export const metricShapes: Readonly<Record<"istio" | "envoy" | "slipway", MetricShape>> = {
  istio: MetricShapeSchema.parse(istio),
  envoy: MetricShapeSchema.parse(envoy),
  slipway: MetricShapeSchema.parse(slipway),
};

/** A pattern that is met by each of these versions. */
export function fillPattern(
  text: string,
  request: ReadRequest,
  versions: readonly string[] = request.versions,
): string {
  return fill(text, {
    version: versions.length === 0 ? "" : `(?:${versions.map(escaped).join("|")})`,
    service: escaped(request.service),
    namespace: escaped(request.environment),
    namespace_: request.environment.replaceAll(/[^a-zA-Z0-9]/g, "_"),
  });
}

/** A label's value. */
export function fillValue(text: string, request: ReadRequest): string {
  return fill(text, { version: "", service: request.service, namespace: request.environment, namespace_: "" });
}

function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{(version|service|namespace_?)\}/g, (_, name: string) => values[name] ?? "");
}

/** Names hold nothing else that a regular expression minds. */
function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
