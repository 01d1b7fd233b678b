export { diffReadings } from "./diff.ts";
export { emptyHistogram, mergeHistograms } from "./histogram.ts";
export { MetricLabelSchema, type MetricShape, MetricShapeSchema, metricShapes } from "./metric-shape.ts";
export { meshDoubt, metricsProblem } from "./metrics-problem.ts";
export { type PrometheusOptions, prometheusMetrics } from "./prometheus.ts";
export { prometheusParser } from "./prometheus-text.ts";
export { type ScrapeOptions, scrapeMetrics } from "./scrape.ts";
export {
  type Histogram,
  type HostReading,
  type MetricsSource,
  MetricsUnreadable,
  type Reading,
  type ReadingDelta,
  type ReadRequest,
  type VersionReading,
} from "./types.ts";
