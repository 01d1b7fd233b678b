import { Gauge } from "prom-client";
import type { Meters } from "./meters.ts";
import type { RegionLooks } from "./trouble.ts";

type InRegions = { readonly name: string; regions?(): RegionLooks["looks"] };

/** What the last look at each region found, and how long the token is still good by which it is reached. */
export function countRegions({ registry }: Meters, services: () => readonly InRegions[]): void {
  const shared = { labelNames: ["service", "region"] as const, registers: [registry] };
  const looks = () =>
    services().flatMap(({ name: service, regions }) =>
      [...(regions?.() ?? [])].map(([region, look]) => ({ labels: { service, region }, ...look })),
    );
  new Gauge({
    ...shared,
    name: "slipway_region_reached",
    help: "1 while the API of the region lets the service in; /readyz says why not",
    collect() {
      this.reset();
      for (const { labels, reached } of looks()) this.set(labels, reached ? 1 : 0);
    },
  });
  new Gauge({
    ...shared,
    name: "slipway_region_token_left_seconds",
    help: "For how long the token in the region's kubeconfig is still good; below 0: it has run out",
    collect() {
      this.reset();
      for (const { labels, token } of looks())
        if (token !== undefined) this.set(labels, (token.expiresAtMs - Date.now()) / 1_000);
    },
  });
  new Gauge({
    ...shared,
    name: "slipway_region_token_left_ratio",
    help: "The same as a part of its whole life",
    collect() {
      this.reset();
      for (const { labels, token } of looks())
        if (token !== undefined)
          this.set(labels, (token.expiresAtMs - Date.now()) / (token.expiresAtMs - token.issuedAtMs));
    },
  });
}
