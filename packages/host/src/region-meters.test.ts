import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { countRegions } from "./region-meters.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 7_200_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test("of each region is told whether it lets the service in, and what is left of its token; nothing of one that does not say", async () => {
  const registry = new Registry();
  const token = { issuedAtMs: 0, expiresAtMs: 4 * 3_600_000 };
  const regions = new Map([
    ["half", { reached: true, token }],
    ["gone", { reached: false, token: { ...token, expiresAtMs: 3_600_000 } }],
    ["silent", { reached: true, token: undefined }],
  ]);
  countRegions({ registry }, () => [
    { name: "rollback-controller", regions: () => regions },
    { name: "build-service" },
  ]);

  const lines = (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));

  const of = (region: string) => `{service="rollback-controller",region="${region}"}`;
  expect(lines).toEqual([
    `slipway_region_reached${of("half")} 1`,
    `slipway_region_reached${of("gone")} 0`,
    `slipway_region_reached${of("silent")} 1`,
    `slipway_region_token_left_seconds${of("half")} 7200`,
    `slipway_region_token_left_seconds${of("gone")} -3600`,
    `slipway_region_token_left_ratio${of("half")} 0.5`,
    `slipway_region_token_left_ratio${of("gone")} -1`,
  ]);
});
