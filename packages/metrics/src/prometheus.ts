import type { VersionName } from "@slipway/kernel";
import { carriedHosts } from "./carried-hosts.ts";
import { callerName, type HostTotals, noTotals, readingOfHost } from "./host-totals.ts";
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
  const carried = carriedHosts(staleAfterMs / 1_000);
  return {
    async read(request) {
      const at = await momentOf({ ask, newestOf, host, staleAfterMs }, shape, request);
      const series = async (query: string | undefined) => (query === undefined ? [] : (await ask(query, at)).series);
      const [requests, latency, started, weights] = await Promise.all([
        series(requestsOf(shape, request)),
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
 * versions that are asked about says it for the whole mesh. Only where they have none all of its series are looked at, which are very many; and last
 * what callers say of versions that nobody reaches, which is all that there is where an environment has no other.
 */
async function momentOf(
  { ask, newestOf, host, staleAfterMs }: Asked,
  shape: MetricShape,
  request: ReadRequest,
): Promise<number> {
  const { alive, version } = shape;
  const own = selectorOf(shape, alive.name, alive.labels, request, [matcherOf(version, request)]);
  // With something in the place of nothing, so that there is an answer to tell the time by.
  const { at, series } = await ask(`max(timestamp(${own})) or vector(0)`);
  const isFresh = (newest: number | undefined) => newest !== undefined && (at - newest) * 1_000 <= staleAfterMs;
  if (isFresh(series[0]?.value)) return at;
  const selector = selectorOf(shape, alive.name, alive.labels, request);
  const newest = await newestOf(selector, at);
  if (isFresh(newest)) return at;
  const unreached = unreachedOf(shape, request);
  const ofCallers = unreached === undefined ? [] : (await ask(`max(timestamp(${unreached}))`, at)).series;
  if (isFresh(ofCallers[0]?.value)) return at;
  if (newest === undefined) {
    throw new MetricsUnreadable(
      `Prometheus at ${host} has no ${selector}: let it scrape the mesh, or say how its metrics are named (metrics_shape in the regions file)`,
    );
  }
  throw new MetricsUnreadable(
    `the newest ${selector} in Prometheus at ${host} is ${Math.round(at - newest)} s old, and says nothing about now after ${staleAfterMs / 1_000} s: ${scrapeOftener}`,
  );
}

/** With what reached no pod in the same answer, so that a look costs no question more. Its series alone have the label that names their version. */
function requestsOf(shape: MetricShape, request: ReadRequest): string {
  const counted = countersOf(shape, shape.requests, shape.error.label, request);
  const selector = unreachedOf(shape, request);
  if (shape.unreached === undefined || selector === undefined) return counted;
  const labels = [...new Set([shape.unreached.version.label, ...shape.host, "instance"])];
  return `${counted} or sum by (${labels.join(", ")}) (${selector})`;
}

function unreachedOf(shape: MetricShape, request: ReadRequest): string | undefined {
  const { requests, unreached } = shape;
  if (unreached === undefined) return undefined;
  const labels = Object.entries(unreached.labels).map(([label, pattern]) => matcherOf({ label, pattern }, request));
  return selectorOf(shape, requests, {}, request, [...labels, matcherOf(unreached.version, request)]);
}

function countersOf(shape: MetricShape, name: string, by: string, request: ReadRequest): string {
  const selector = selectorOf(shape, name, shape.labels, request, [matcherOf(shape.version, request)]);
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

function matcherOf({ label, pattern }: MetricShape["version"], request: ReadRequest): string {
  return `${label}=~${quoted(fillPattern(pattern, request))}`;
}

/** PromQL takes the same escapes in double quotes. */
const quoted = (text: string) => JSON.stringify(text);

type Answers = Readonly<Record<"requests" | "latency" | "started" | "weights", readonly Series[]>>;

function readingOf(shape: MetricShape, request: ReadRequest, answers: Answers): Reading {
  const began = new Map(answers.started.map(({ labels, value }) => [labels.instance ?? "", String(value)]));
  const isError = wholly(shape.error.pattern);
  const versions = request.versions.map((version) => {
    const ours = namedBy(shape.version, request, version);
    const unreached = namedBy(shape.unreached?.version, request, version);
    const hosts = new Map<string, HostTotals & { readonly epochs: Set<string> }>();
    const hostOf = ({ labels }: Series, isCaller = false) => {
      const own = shape.host.map((label) => labels[label]).find((value) => value !== undefined && value !== "") ?? "";
      const name = isCaller ? callerName(own) : own;
      const host = hosts.get(name) ?? { ...noTotals(), unreached: isCaller, epochs: new Set<string>() };
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
    for (const series of answers.requests.filter(unreached)) {
      const caller = hostOf(series, true);
      caller.requests += counted(series);
      // Whatever its status: to gRPC's callers a proxy says it in a trailer of a 200.
      caller.errors += counted(series);
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

/** Whether a series is the version's by this label. */
function namedBy(by: MetricShape["version"] | undefined, request: ReadRequest, version: VersionName) {
  if (by === undefined) return () => false;
  const isOurs = wholly(fillPattern(by.pattern, request, [version]));
  return ({ labels }: Series) => isOurs.test(labels[by.label] ?? "");
}

function hostReading({ epochs, ...totals }: HostTotals & { readonly epochs: Set<string> }): HostReading {
  const counted = readingOfHost(totals);
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
