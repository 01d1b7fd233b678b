import { prometheusParser } from "@slipway/metrics";
import { request } from "undici";

/** What a region's proxy serves of one version, in percent: now, since when (milliseconds since 1970), and the most since the proxy started. */
export type Served = {
  readonly version: string;
  readonly percent: number;
  readonly sinceMs: number;
  readonly most: number;
};

const withinMs = 2_000;

/** What a region's proxy says of a service, by version; null where it does not answer. */
export async function servedWeights(
  adminUrl: string,
  service: string,
  environment: string,
): Promise<readonly Served[] | null> {
  try {
    const answer = await request(`${adminUrl}/metrics`, { headersTimeout: withinMs, bodyTimeout: withinMs });
    return readServedWeights(await answer.body.text(), service, environment);
  } catch {
    return null;
  }
}

const gauge = "slipway_mesh_route_weight";
const parse = () => prometheusParser(new Set([gauge, `${gauge}_max`, `${gauge}_changed_seconds`]));

/**
 * The weights on a proxy's metrics page, largest share first; a version that has none any more is there with 0. Throws MetricsUnreadable for a page that
 * was cut short.
 */
export function readServedWeights(page: string, service: string, environment: string): readonly Served[] {
  const served = new Map<string, Served>();
  for (const { name, labels, value } of parse()(page)) {
    const { version = "" } = labels;
    if (labels.service !== service || labels.namespace !== environment) continue;
    const known = served.get(version) ?? { version, percent: 0, sinceMs: 0, most: 0 };
    served.set(version, { ...known, ...read(name.slice(gauge.length), value) });
  }
  return [...served.values()].sort((a, b) => b.percent - a.percent || (a.version < b.version ? -1 : 1));
}

function read(which: string, value: number): Partial<Served> {
  if (which === "_max") return { most: value };
  return which === "_changed_seconds" ? { sinceMs: value * 1_000 } : { percent: value };
}
