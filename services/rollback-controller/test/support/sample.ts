import type { Judgement, WatchRequest } from "@slipway/contracts";
import { type DeploymentId, type EnvironmentName, instant, type ServiceName, type VersionName } from "@slipway/kernel";

export const start = instant("2026-03-01T08:00:00Z");
export const canary = "orders-1111111-bbbbb" as VersionName;
export const baseline = "orders-0000000-aaaaa" as VersionName;
export const id = "D-7" as DeploymentId;

export function sampleSpec(change: Partial<WatchRequest> = {}): WatchRequest {
  return {
    service: "orders" as ServiceName,
    environment: "prod" as EnvironmentName,
    version: canary,
    mode: "canary",
    baselines: { a: baseline, b: baseline },
    epochs: { a: 2, b: 2 },
    step: 0,
    weight_percent: 5,
    ...change,
  };
}

export function sampleJudgement(verdict: Judgement["verdict"], change: Partial<Judgement> = {}): Judgement {
  const counts = { canary_requests: 600, canary_errors: 0, baseline_requests: 9_000, baseline_errors: 0 };
  return {
    step: 0,
    weight_percent: 5,
    verdict,
    sentence: `${verdict} it is`,
    requests_needed: null,
    counts,
    regions: { a: counts, b: counts },
    window_from: start,
    at: start,
    ...change,
  };
}
