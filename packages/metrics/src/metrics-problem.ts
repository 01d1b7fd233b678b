import { type MetricShape, metricShapes } from "./metric-shape.ts";
import { scrapeOftener, staleAfterMs } from "./newest-samples.ts";
import { prometheusQuery } from "./prometheus-query.ts";
import { fetchPage, pageOf } from "./scrape.ts";
import { MetricsUnreadable } from "./types.ts";

const timeoutMs = 2_000;

/** What keeps a source from being asked at all (`scrape:http://…`, `prometheus:http://…`), as a sentence; undefined: nothing. Never rejects. */
export async function metricsProblem(url: string, tokenFile?: string): Promise<string | undefined> {
  const inner = url.slice(url.indexOf(":") + 1);
  try {
    if (url.startsWith("scrape:")) await fetchPage(pageOf(inner), timeoutMs);
    else await prometheusQuery(inner, timeoutMs, tokenFile)("vector(1)");
    return undefined;
  } catch (error) {
    return error instanceof MetricsUnreadable ? error.message : "its metrics_url cannot be read: correct it";
  }
}

/** A look at all series of a mesh, once: may take longer than what is asked each second. */
const wholeMeshMs = 10_000;
/** So long is counted what a series gets; fewer samples than these are one in 30 s or more, and then the newest is too old now and then. */
const [countedS, tooFew] = [120, 4];

/**
 * Why a Prometheus that can be asked may show too little of a mesh, in whatever namespace, as a sentence that says what to do: it has no series of one,
 * or scrapes it too seldom. Undefined: it shows enough, or cannot be asked. Never rejects.
 */
export async function meshDoubt(
  url: string,
  shape: MetricShape = metricShapes.istio,
  tokenFile?: string,
): Promise<string | undefined> {
  if (!url.startsWith("prometheus:")) return undefined;
  const inner = url.slice("prometheus:".length);
  // Of any namespace: what stands for it in a name may be anything.
  const name = shape.alive.name.replaceAll(/\{\w+\}/g, ".*");
  const own = Object.entries(shape.everywhere ?? {}).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  const selector = `{${[`__name__=~${JSON.stringify(name)}`, ...own].join(",")}}`;
  const what = own.length === 0 ? name : `${name}{${own.join(",")}}`;
  const prometheus = `Prometheus at ${new URL(inner).host}`;
  try {
    const ask = prometheusQuery(inner, wholeMeshMs, tokenFile);
    const { at, series } = await ask(`max(timestamp(${selector}))`);
    const newest = series[0]?.value;
    if (newest === undefined)
      return `${prometheus} has no ${what} yet: where its mesh has had requests, let it scrape the mesh, or say how its metrics are named (metrics_shape in the regions file)`;
    // Of series that were there before: one that has just begun has few samples, however often they come.
    const counted = await ask(`max(count_over_time(${selector}[${countedS}s]) and ${selector} offset ${countedS}s)`);
    const samples = counted.series[0]?.value;
    if (samples !== undefined && samples <= tooFew)
      return `${prometheus} has a sample of ${what} every ${Math.round(countedS / samples)} s or so, and one says nothing about now after ${staleAfterMs / 1_000} s: ${scrapeOftener}`;
    if ((at - newest) * 1_000 <= staleAfterMs) return undefined;
    return `the newest ${what} in ${prometheus} is ${Math.round(at - newest)} s old: ${scrapeOftener}`;
  } catch {
    return undefined;
  }
}
