import { z } from "zod";
import type { ReadRequest } from "./types.ts";

const pattern = z.string().min(1).max(500);
/** The name of a label. */
export const MetricLabelSchema = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, "not the name of a label");

/**
 * How a mesh's metrics are named. Patterns are whole regular expressions (RE2). In patterns and label values `{version}`, `{service}` and
 * `{namespace}` stand for those asked about, and `{namespace_}` for the namespace as it stands in a metric's name.
 */
const Shape = z.strictObject({
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
  /**
   * Of `requests`, what callers' proxies answered themselves since they reached no pod of the version: no series of `labels` has these, each is one
   * request more and an error. Patterns of labels, and the label that names the version where no pod was chosen. Such series have no say in latencies.
   */
  unreached: z
    .strictObject({
      labels: z.record(MetricLabelSchema, pattern),
      version: z.strictObject({ label: MetricLabelSchema, pattern }),
    })
    .optional(),
  /** A gauge of each target that changes when the target's counters begin anew; joined by `instance`. */
  started: pattern.optional(),
  /** Percent by version that is served now: a gauge and its labels. */
  weight: z
    .strictObject({ name: pattern, labels: z.record(MetricLabelSchema, z.string()), version: MetricLabelSchema })
    .optional(),
  /** Pattern of the name of a series which is there whenever the mesh is scraped, also where nothing was asked yet, and labels of it. */
  alive: z.strictObject({ name: pattern, labels: z.record(MetricLabelSchema, z.string()).default({}) }),
});

export const MetricShapeSchema = Shape.refine(
  ({ unreached, version, host, error }) =>
    unreached === undefined || ![version.label, ...host, "instance", error.label].includes(unreached.version.label),
  {
    path: ["unreached", "version", "label"],
    error: "must be no label of version, host or error: it tells such series from the others",
  },
);
export type MetricShape = z.output<typeof MetricShapeSchema> & {
  /** Labels that all series of a region have, where one Prometheus has those of several. */
  readonly everywhere?: Readonly<Record<string, string>>;
};

/**
 * Envoy's flags of an answer that a caller's proxy gave itself, with no proxy of the destination knowing of the request; joined by commas, in an order that
 * differs from one Envoy to another. They are those of the last attempt: earlier ones that came through are counted there, this one here.
 * UH: there was no pod to choose. UF: no pod took the connection, or none its TLS. UO: no place in the caller's pool of connections. (A retry without a
 * place has UO as well, and the answer before it was counted by the destination: as a failure, as here, and only where people's DestinationRule limits
 * retries.) URX (no more retries) and DI (a delay on purpose) may stand beside them; alone they are of an answer that the destination gave.
 * All others are left out. UC, UR, LR, UMSDR, UPE: broken off under a request that was there. UT: it may be at work there still. DC: the client left.
 * NR, FI, RL, UAEX: no doing of the version. NC: its Service is gone, and nothing names the version.
 */
export const unreachedFlags = "(?:(?:DI|URX),)*(?:UH|UF|UO)(?:,(?:UH|UF|UO|DI|URX))*";

/**
 * Istio's standard metrics, as the proxies of the destination count them. By workload: as the name of the service such a proxy takes the first Service that
 * selects its pod, which is the version's own. What reached no pod has the callers' proxies (sidecars and gateways) as its only witnesses, who name the
 * Service that the route led to, the version's own as well. By its whole name: where no pod was chosen, workload and namespaces are "unknown".
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
  unreached: {
    labels: { reporter: "source", response_flags: unreachedFlags },
    version: { label: "destination_service", pattern: "{version}\\.{namespace}\\.svc\\..+" },
  },
  alive: { name: "istio_requests_total", labels: { destination_workload_namespace: "{namespace}" } },
};

/**
 * Those of an Envoy without Istio's filters, as the caller's proxy counts them: a cluster `outbound|80||<version>.<namespace>.svc.cluster.local` of
 * which Envoy makes a label out of the part before the first dot and a name out of the rest. What reached no pod is among them: the cluster is charged
 * with each answer, also one that its proxy gave in its place.
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
