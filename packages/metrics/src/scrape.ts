import { request } from "undici";
import { meshPageReader } from "./mesh-reading.ts";
import { type MetricsSource, MetricsUnreadable } from "./types.ts";
import { unreachable } from "./unreachable.ts";

export type ScrapeOptions = {
  /** The proxy's metrics page, e.g. `http://127.0.0.1:15090/metrics`; `/metrics` is added to a bare origin. */
  readonly url: string;
  /** Default 2,000. */
  readonly timeoutMs?: number;
};

/** Reads the counters of one mesh proxy itself, with no Prometheus in between. */
export function scrapeMetrics({ url, timeoutMs = 2_000 }: ScrapeOptions): MetricsSource {
  const page = pageOf(url);
  const read = meshPageReader();
  return {
    async read(wanted) {
      return read(await fetchPage(page, timeoutMs), wanted);
    },
  };
}

export function pageOf(url: string): URL {
  const page = new URL(url);
  if (page.pathname === "/") page.pathname = "/metrics";
  return page;
}

export async function fetchPage(page: URL, timeoutMs: number): Promise<string> {
  try {
    const { statusCode, body } = await request(page, { signal: AbortSignal.timeout(timeoutMs) });
    const text = await body.text();
    if (statusCode !== 200)
      throw new MetricsUnreadable(`${page.origin} answers ${statusCode} in place of its metrics: correct metrics_url`);
    return text;
  } catch (error) {
    if (error instanceof MetricsUnreadable) throw error;
    throw new MetricsUnreadable(unreachable(`the mesh proxy at ${page.host}`, error), error);
  }
}
