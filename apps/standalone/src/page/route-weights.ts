import { request } from "undici";

export type Served = { readonly version: string; readonly percent: number };

const withinMs = 2_000;

/** What a region's proxy serves of a service now, by version; null where it does not answer. */
export async function routeWeights(
  adminUrl: string,
  service: string,
  environment: string,
): Promise<readonly Served[] | null> {
  try {
    const answer = await request(`${adminUrl}/metrics`, { headersTimeout: withinMs, bodyTimeout: withinMs });
    return readRouteWeights(await answer.body.text(), service, environment);
  } catch {
    return null;
  }
}

/** The weights in a proxy's metrics page, largest first; versions that have no weight are left out. */
export function readRouteWeights(page: string, service: string, environment: string): readonly Served[] {
  const begin = `slipway_mesh_route_weight{service="${service}",namespace="${environment}",version="`;
  return page
    .split("\n")
    .filter((line) => line.startsWith(begin))
    .map((line) => ({
      version: line.slice(begin.length, line.indexOf('"', begin.length)),
      percent: Number(line.slice(line.lastIndexOf(" ") + 1)),
    }))
    .filter(({ percent }) => percent > 0)
    .sort((a, b) => b.percent - a.percent || (a.version < b.version ? -1 : 1));
}
