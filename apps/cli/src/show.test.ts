import type { DeploymentStatusView, DeploymentView } from "@slipway/contracts";
import { expect, test } from "vitest";
import { showDeployment } from "./show.ts";

const status = { progress: "5% -> 100%", weight_percent: 0, sentence: null, verdict: null, requests_needed: null };
const view = {
  ...{ deployment_id: "D-4", status: "ROLLING_BACK", service: "orders", version: "orders-3f2a91c-x7k2p" },
  ...{ environment: "prod", step: null, plan: [], gates: [], waiting: null, reason: null },
};

function shown(region: object): string | undefined {
  const regions = { eu: { state: "shut", weight_percent: 0, epoch: 2, baseline: null, reason: null, ...region } };
  const text = showDeployment(
    { ...view, regions } as unknown as DeploymentView,
    { ...status, canary_error_rate: null, baseline_error_rate: null } as unknown as DeploymentStatusView,
  );
  return text.split("\n").find((line) => line.includes("  eu"));
}

test("a weight that is written and not yet proven in the region's mesh says so, since when, and why", () => {
  const unproven = { since: "2026-11-30T10:00:00.000Z", from_percent: 5 };

  expect(shown({ unproven, reason: "its mesh still sends it requests" })).toMatch(
    /shut +0% {2}written at 2026-11-30T10:00:00.000Z, not yet proven in its mesh \(it served 5%\); its mesh still sends it requests$/,
  );
  expect(shown({})).toMatch(/shut +0%$/);
});
