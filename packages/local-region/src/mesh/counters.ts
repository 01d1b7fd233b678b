import { labelText } from "./labels.ts";
import { type RouteTable, servedWeights } from "./routes.ts";
import { Totals } from "./totals.ts";

/**
 * How long the lines of a pod stay after it left the routes: long enough for every scraper to read its last answers, and for a
 * pod that is not ready for a moment. In Istio they go with the pod's own proxy. Kept for ever, a page of many deployments would cost
 * each of its readers more than the requests it tells of.
 */
const keptAfterLeavingMs = 180_000;

/** Upper bounds in milliseconds: finer than Istio's between 1 ms and 1 s, where services live. */
const bounds = [
  0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 25, 35, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1_000, 1_500, 2_500, 5_000,
  10_000, 30_000, 60_000,
];

export type Observation = {
  readonly service: string;
  readonly namespace: string;
  readonly version: string;
  /** The last that was asked; empty where there was none to ask. */
  readonly pod: string;
  readonly code: number;
  readonly ms: number;
  readonly unreached?: Unreached | undefined;
};

/**
 * What the caller's proxy answered itself, in Envoy's words: UH = there was no pod to choose, UF = none took the connection, NC = there is no such
 * Service. `host`: of the Service that the route led to, or of the request where there is none.
 */
export type Unreached = { readonly flags: "UH" | "UF" | "NC"; readonly host: string };

type Series = {
  readonly pod: string;
  readonly labels: string;
  readonly codes: Map<number, number>;
  /** Of its version, shared with the other pods. */
  readonly totals: Map<number, number>;
  readonly buckets: number[];
  sumMs: number;
  count: number;
  /** Since when no route has led to the pod; undefined while one does. */
  leftAtMs: number | undefined;
};

/** `changedAtMs`: since when it is as it is. */
type Gauge = { readonly labels: string; now: number; max: number; changedAtMs: number };

/** Istio's metrics of this proxy for each pod, the answers of each version since the proxy began, and the weights that it serves. */
export type Counters = {
  observe(observation: Observation): void;
  /** Takes the weights of new routes; those of versions that are gone fall to 0 and keep their largest. */
  serve(table: RouteTable): void;
  /** Prometheus text. */
  render(): string;
};

/** `now` in milliseconds since 1970; its first value is when this proxy started. */
export function createCounters(now: () => number): Counters {
  const startedAtMs = now();
  const series = new Map<string, Series>();
  const gauges = new Map<string, Gauge>();
  const totals = new Totals();
  let routed: ReadonlySet<string> = new Set();
  const begun = (observation: Observation): Series => {
    const pod = podOf(observation);
    return {
      ...{ pod, labels: labelsOf(observation), codes: new Map(), totals: totals.of(observation) },
      ...{ buckets: new Array<number>(bounds.length + 1).fill(0), sumMs: 0, count: 0 },
      leftAtMs: pod === "" || routed.has(pod) ? undefined : now(),
    };
  };
  return {
    observe(observation) {
      const { code, ms } = observation;
      const key = keyOf(observation);
      const known = series.get(key) ?? begun(observation);
      series.set(key, known);
      for (const codes of [known.codes, known.totals]) codes.set(code, (codes.get(code) ?? 0) + 1);
      const bucket = bounds.findIndex((bound) => ms <= bound);
      const index = bucket === -1 ? bounds.length : bucket;
      known.buckets[index] = (known.buckets[index] ?? 0) + 1;
      known.sumMs += ms;
      known.count += 1;
    },
    serve(table) {
      routed = podsOf(table);
      for (const known of series.values()) {
        if (known.pod === "" || routed.has(known.pod)) known.leftAtMs = undefined;
        else known.leftAtMs ??= now();
      }
      const before = new Map([...gauges].map(([key, { now: percent }]) => [key, percent]));
      for (const gauge of gauges.values()) gauge.now = 0;
      for (const [host, routes] of table) {
        for (const [version, percent] of servedWeights(routes)) {
          const key = `${host}/${version}`;
          const { service, namespace } = routes;
          const labels = labelText({ service, namespace, version });
          const gauge = gauges.get(key) ?? { labels, now: 0, max: 0, changedAtMs: 0 };
          gauges.set(key, { ...gauge, now: percent, max: Math.max(gauge.max, percent) });
        }
      }
      for (const [key, gauge] of gauges) if (gauge.now !== before.get(key)) gauge.changedAtMs = now();
    },
    render() {
      const before = now() - keptAfterLeavingMs;
      for (const [key, { leftAtMs }] of series) if (leftAtMs !== undefined && leftAtMs < before) series.delete(key);
      const lines = [startLines(startedAtMs), weightLines(gauges), totals.lines(), seriesLines(series)];
      return `${lines.flat().join("\n")}\n`;
    },
  };
}

/** As Istio's, a caller's lines are of no pod, and outlive all of them. */
const podOf = ({ pod, unreached }: Observation) => (unreached === undefined ? pod : "");

function keyOf(observation: Observation): string {
  const { service, namespace, version, unreached } = observation;
  return `${namespace}/${service}/${version}/${podOf(observation)}/${unreached?.flags}`;
}

function podsOf(table: RouteTable): ReadonlySet<string> {
  const destinations = [...table.values()].flatMap(({ routes }) => routes.flatMap((route) => route.destinations));
  return new Set(destinations.flatMap(({ backend }) => backend.endpoints.map(({ pod }) => pod)));
}

function startLines(startedAtMs: number): string[] {
  const name = "slipway_mesh_process_start_time_seconds";
  return [`# TYPE ${name} gauge`, `${name} ${startedAtMs / 1_000}`];
}

function weightLines(gauges: ReadonlyMap<string, Gauge>): string[] {
  const name = "slipway_mesh_route_weight";
  const all = [...gauges.values()];
  return [
    `# TYPE ${name} gauge`,
    ...all.map(({ labels, now }) => `${name}{${labels}} ${now}`),
    `# TYPE ${name}_max gauge`,
    ...all.map(({ labels, max }) => `${name}_max{${labels}} ${max}`),
    `# TYPE ${name}_changed_seconds gauge`,
    ...all.map(({ labels, changedAtMs }) => `${name}_changed_seconds{${labels}} ${changedAtMs / 1_000}`),
  ];
}

function seriesLines(series: ReadonlyMap<string, Series>): string[] {
  const requests = "istio_requests_total";
  const duration = "istio_request_duration_milliseconds";
  const all = [...series.values()];
  return [
    `# TYPE ${requests} counter`,
    ...all.flatMap(({ labels, codes }) =>
      [...codes].map(([code, count]) => `${requests}{${labels},response_code="${code}"} ${count}`),
    ),
    `# TYPE ${duration} histogram`,
    ...all.flatMap(({ labels, buckets, sumMs, count }) => {
      let total = 0;
      const lines = buckets.map((observations, index) => {
        total += observations;
        return `${duration}_bucket{${labels},le="${bounds[index] ?? "+Inf"}"} ${total}`;
      });
      return [...lines, `${duration}_sum{${labels}} ${sumMs}`, `${duration}_count{${labels}} ${count}`];
    }),
  ];
}

function labelsOf(observation: Observation): string {
  const { service, namespace, version, pod, unreached } = observation;
  if (unreached !== undefined) return callerLabels(observation, unreached);
  return labelText({
    reporter: "destination",
    destination_service: `${service}.${namespace}.svc.cluster.local`,
    destination_service_name: service,
    destination_service_namespace: namespace,
    destination_workload: version,
    destination_workload_namespace: namespace,
    destination_version: version,
    request_protocol: "http",
    pod,
  });
}

/** Where no pod was chosen a caller knows nothing of it, not its namespace either. */
function callerLabels({ version, namespace }: Observation, { flags, host }: Unreached): string {
  const chosen = flags === "UF";
  return labelText({
    reporter: "source",
    destination_service: host,
    destination_service_name: host.split(".")[0] ?? host,
    destination_service_namespace: chosen ? namespace : "unknown",
    destination_workload: chosen ? version : "unknown",
    destination_workload_namespace: chosen ? namespace : "unknown",
    destination_version: chosen ? version : "unknown",
    request_protocol: "http",
    response_flags: flags,
  });
}
