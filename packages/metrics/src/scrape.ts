import type { MetricsSource } from "./types.ts";

export type ScrapeOptions = {
  /** The proxy's metrics page, e.g. `http://127.0.0.1:15090/metrics`; `/metrics` is added to a bare origin. */
  readonly url: string;
  /** Default 2,000. */
  readonly timeoutMs?: number;
};

/** Reads the counters of one mesh proxy itself, with no Prometheus in between. */
export function scrapeMetrics(_options: ScrapeOptions): MetricsSource {
  throw new Error("not written yet");
}
