import { prometheusQuery } from "./prometheus-query.ts";
import { fetchPage, pageOf } from "./scrape.ts";
import { MetricsUnreadable } from "./types.ts";

const timeoutMs = 2_000;

/** What keeps a source from being asked at all (`scrape:http://…`, `prometheus:http://…`), as a sentence; undefined: nothing. Never rejects. */
export async function metricsProblem(url: string): Promise<string | undefined> {
  const inner = url.slice(url.indexOf(":") + 1);
  try {
    if (url.startsWith("scrape:")) await fetchPage(pageOf(inner), timeoutMs);
    else await prometheusQuery(inner, timeoutMs)("vector(1)");
    return undefined;
  } catch (error) {
    return error instanceof MetricsUnreadable ? error.message : "its metrics_url cannot be read: correct it";
  }
}
