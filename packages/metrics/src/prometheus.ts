import { carriedHosts } from "./carried-hosts.ts";
import { type HostTotals, histogram, noTotals } from "./host-totals.ts";
import { fillPattern, fillValue, type MetricShape, metricShapes } from "./metric-shape.ts";
import { newestSamples, scrapeOftener, staleAfterMs as staleByDefault } from "./newest-samples.ts";
import { type PrometheusQuery, prometheusQuery, type Series } from "./prometheus-query.ts";
import { type HostReading, type MetricsSource, MetricsUnreadable, type Reading, type ReadRequest } from "./types.ts";

export type PrometheusOptions = {
  /** Where its API is, e.g. `http://prometheus.monitoring:9090`, perhaps with user, password and a path before `/api/v1`. */
  readonly url: string;
  /** A file with a bearer token, read for each question. */
  readonly tokenFile?: string | undefined;
  /** Default: Istio's. */
  readonly shape?: MetricShape;
  /** Default 2,000. */
  readonly timeoutMs?: number;
  /** Default 30,000: samples that are older say nothing about now. */
  readonly staleAfterMs?: number;
};

/** A question about all series of an environment may take so many times as long as one about two versions; it is asked now and then, once for all. */
const wholeMeshTimes = 5;

/** Reads the counters of a region's mesh from a Prometheus which scrapes it. All numbers of a reading are of one moment. */
export function prometheusMetrics(options: PrometheusOptions): MetricsSource {
  const { url, tokenFile, shape = metricShapes.istio, timeoutMs = 2_000, staleAfterMs = staleByDefault } = options;
  const ask = prometheusQuery(url, timeoutMs, tokenFile);
  const { host } = new URL(url);
  const newestOf = newestSamples(prometheusQuery(url, wholeMeshTimes * timeoutMs, tokenFile), staleAfterMs);
  const carried = carriedHosts();
  return {
    async read(request) {
      const at = await momentOf({ ask, newestOf, host, staleAfterMs }, shape, request);
      const series = async (query: string | undefined) => (query === undefined ? [] : (await ask(query, at)).series);
      const [requests, latency, started, weights] = await Promise.all([
        series(countersOf(shape, shape.requests, shape.error.label, request)),
        series(countersOf(shape, shape.latency, "le", request)),
        series(startedOf(shape, request)),
        series(weightsOf(shape, request)),
      ]);
      const reading = readingOf(shape, request, { requests, latency, started, weights });
      return { ...reading, versions: carried.fill(request, reading.versions, at) };
    },
  };
}

type Asked = {
  readonly ask: PrometheusQuery;
  readonly newestOf: ReturnType<typeof newestSamples>;
  readonly host: string;
  readonly staleAfterMs: number;
};

/**
 * Now, by Prometheus's clock; it is an error when nothing of the mesh was scraped lately, since then nothing counted means nothing. A sample of the
 * versions that are asked about says it for the whole mesh. Only where they have none all of its series are looked at, which are very many.
 */
async function momentOf(
  { ask, newestOf, host, staleAfterMs }: Asked,
  shape: MetricShape,
  request: ReadRequest,
): Promise<number> {
  const { alive, version } = shape;
  const own = selectorOf(shape, alive.name, alive.labels, request, [versionsOf(version, request)]);
  // With something in the place of nothing, so that there is an answer to tell the time by.
  const { at, series } = await ask(`max(timestamp(${own})) or vector(0)`);
  const isFresh = (newest: number) => (at - newest) * 1_000 <= staleAfterMs;
  if (isFresh(series[0]?.value ?? 0)) return at;
  const selector = selectorOf(shape, alive.name, alive.labels, request);
  const newest = await newestOf(selector, at);
  if (newest === undefined) {
    throw new MetricsUnreadable(
      `Prometheus at ${host} has no ${selector}: let it scrape the mesh, or say how its metrics are named (metrics_shape in the regions file)`,
    );
  }
  if (!isFresh(newest)) {
    throw new MetricsUnreadable(
      `the newest ${selector} in Prometheus at ${host} is ${Math.round(at - newest)} s old, and says nothing about now after ${staleAfterMs / 1_000} s: ${scrapeOftener}`,
    );
  }
  return at;
}

function countersOf(shape: MetricShape, name: string, by: string, request: ReadRequest): string {
  const selector = selectorOf(shape, name, shape.labels, request, [versionsOf(shape.version, request)]);
  const labels = [...new Set([shape.version.label, ...shape.host, "instance", by])];
  return `sum by (${labels.join(", ")}) (${selector})`;
}

function startedOf(shape: MetricShape, request: ReadRequest): string | undefined {
  return shape.started && `max by (instance) (${selectorOf(shape, shape.started, {}, request)})`;
}

function weightsOf(shape: MetricShape, request: ReadRequest): string | undefined {
  const { weight } = shape;
  return weight && `max by (${weight.version}) (${selectorOf(shape, weight.name, weight.labels, request)})`;
}

function selectorOf(
  { everywhere }: MetricShape,
  name: string,
  labels: Readonly<Record<string, string>>,
  request: ReadRequest,
  more: readonly string[] = [],
): string {
  const own = Object.entries({ ...labels, ...everywhere }).map(
    ([label, value]) => `${label}=${quoted(fillValue(value, request))}`,
  );
  return `{${[`__name__=~${quoted(fillPattern(name, request))}`, ...own, ...more].join(",")}}`;
}

function versionsOf({ label, pattern }: MetricShape["version"], request: ReadRequest): string {
  return `${label}=~${quoted(fillPattern(pattern, request))}`;
}

/** PromQL takes the same escapes in double quotes. */
const quoted = (text: string) => JSON.stringify(text);

type Answers = Readonly<Record<"requests" | "latency" | "started" | "weights", readonly Series[]>>;

function readingOf(shape: MetricShape, request: ReadRequest, answers: Answers): Reading {
  const began = new Map(answers.started.map(({ labels, value }) => [labels.instance ?? "", String(value)]));
  const isError = wholly(shape.error.pattern);
  const versions = request.versions.map((version) => {
    const isOurs = wholly(fillPattern(shape.version.pattern, request, [version]));
    const ours = ({ labels }: Series) => isOurs.test(labels[shape.version.label] ?? "");
    const hosts = new Map<string, HostTotals & { readonly epochs: Set<string> }>();
    const hostOf = ({ labels }: Series) => {
      const name = shape.host.map((label) => labels[label]).find((value) => value !== undefined && value !== "") ?? "";
      const host = hosts.get(name) ?? { ...noTotals(), epochs: new Set<string>() };
      hosts.set(name, host);
      const epoch = began.get(labels.instance ?? "");
      if (epoch !== undefined) host.epochs.add(`${labels.instance ?? ""} ${epoch}`);
      return host;
    };
    for (const series of answers.requests.filter(ours)) {
      const host = hostOf(series);
      host.requests += counted(series);
      if (isError.test(series.labels[shape.error.label] ?? "")) host.errors += counted(series);
    }
    for (const series of answers.latency.filter(ours)) {
      const { buckets } = hostOf(series);
      const bound = boundOf(series.labels.le, shape.latency_unit);
      buckets.set(bound, (buckets.get(bound) ?? 0) + counted(series));
    }
    return [version, { hosts: Object.fromEntries([...hosts].map(([name, totals]) => [name, hostReading(totals)])) }];
  });
  const { weight } = shape;
  return {
    // Each host of its own: there are many proxies behind one Prometheus.
    processEpoch: "prometheus",
    versions: Object.fromEntries(versions) as Reading["versions"],
    servedWeight:
      weight === undefined || answers.weights.length === 0
        ? null
        : Object.fromEntries(answers.weights.map(({ labels, value }) => [labels[weight.version] ?? "", value])),
  };
}

function hostReading({
  requests,
  errors,
  buckets,
  epochs,
}: HostTotals & { readonly epochs: Set<string> }): HostReading {
  const counted = { requests, errors, latency: histogram(buckets) };
  return epochs.size === 0 ? counted : { ...counted, epoch: [...epochs].sort().join() };
}

const wholly = (text: string) => new RegExp(`^(?:${text})$`);

function counted({ value }: Series): number {
  if (!Number.isFinite(value)) throw new MetricsUnreadable("a counter in Prometheus is no number");
  return value;
}

function boundOf(le: string | undefined, unit: MetricShape["latency_unit"]): number {
  if (le === "+Inf") return Number.POSITIVE_INFINITY;
  return Number(le) * (unit === "s" ? 1_000 : 1);
}
