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

const gauge =
  /^slipway_mesh_route_weight(_max|_changed_seconds)?\{service="([^"]*)",namespace="([^"]*)",version="([^"]*)"\} (\S+)$/gm;

/** The weights on a proxy's metrics page, largest share first; a version that has none any more is there with 0. */
export function readServedWeights(page: string, service: string, environment: string): readonly Served[] {
  const served = new Map<string, Served>();
  for (const [, which = "", ofService, namespace, version = "", value] of page.matchAll(gauge)) {
    if (ofService !== service || namespace !== environment) continue;
    const known = served.get(version) ?? { version, percent: 0, sinceMs: 0, most: 0 };
    served.set(version, { ...known, ...read(which, Number(value)) });
  }
  return [...served.values()].sort((a, b) => b.percent - a.percent || (a.version < b.version ? -1 : 1));
}

function read(which: string, value: number): Partial<Served> {
  if (which === "_max") return { most: value };
  return which === "_changed_seconds" ? { sinceMs: value * 1_000 } : { percent: value };
}
