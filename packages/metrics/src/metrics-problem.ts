import { type MetricShape, metricShapes } from "./metric-shape.ts";
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

/** Whether a Prometheus that can be asked has no series of a mesh, in whatever namespace, as a sentence; undefined: it has, or cannot be asked. Never rejects. */
export async function meshUnseen(url: string, shape: MetricShape = metricShapes.istio): Promise<string | undefined> {
  if (!url.startsWith("prometheus:")) return undefined;
  const inner = url.slice("prometheus:".length);
  // Of any namespace: what stands for it in a name may be anything.
  const name = shape.alive.name.replaceAll(/\{\w+\}/g, ".*");
  try {
    const { series } = await prometheusQuery(inner, timeoutMs)(`count({__name__=~${JSON.stringify(name)}})`);
    if (series.length > 0) return undefined;
    return `Prometheus at ${new URL(inner).host} has no ${name} yet: where its mesh has had requests, let it scrape the mesh, or say how its metrics are named (metrics_shape in the regions file)`;
  } catch {
    return undefined;
  }
}
