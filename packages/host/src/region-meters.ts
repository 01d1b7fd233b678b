import { measureFigures } from "./figures.ts";
import type { Meters } from "./meters.ts";
import type { RegionLooks } from "./trouble.ts";

type Looks = RegionLooks["looks"];
type Look = Looks extends ReadonlyMap<string, infer One> ? One : never;
type InRegions = { readonly name: string; regions?(): Looks };

/** What the last look at each region found, and how long the token is still good by which it is reached. */
export function countRegions(meters: Meters, services: () => readonly InRegions[]): void {
  const gauge = (name: `slipway_region_${string}`, help: string, amount: (look: Look) => number | undefined) => ({
    ...({ name, help, kind: "gauge", labels: ["service", "region"] } as const),
    read: () =>
      services().flatMap(({ name: service, regions }) =>
        [...(regions?.() ?? [])].flatMap(([region, look]) => {
          const value = amount(look);
          return value === undefined ? [] : [{ labels: { service, region }, value }];
        }),
      ),
  });
  measureFigures(meters, [
    gauge(
      "slipway_region_reached",
      "1 while the API of the region lets the service in; /readyz says why not",
      (look) => (look.reached ? 1 : 0),
    ),
    gauge(
      "slipway_region_token_left_seconds",
      "For how long the token in the region's kubeconfig is still good; below 0: it has run out",
      ({ token }) => token && (token.expiresAtMs - Date.now()) / 1_000,
    ),
    gauge(
      "slipway_region_token_left_ratio",
      "The same as a part of its whole life",
      ({ token }) => token && (token.expiresAtMs - Date.now()) / (token.expiresAtMs - token.issuedAtMs),
    ),
  ]);
}
