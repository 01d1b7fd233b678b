import { writeFileSync } from "node:fs";
import type { DeploymentView } from "@slipway/contracts";
import { binomialCdf, binomialUpper } from "@slipway/judge";
import type { RegionName } from "@slipway/kernel";
import { exposureBetween, type LoadCounts, requestsWhile } from "./load-counts.ts";
import type { Change } from "./state.ts";

export type Evidence = {
  readonly step: number;
  readonly weight_percent: number;
  readonly canary_requests: number;
  readonly canary_errors: number;
  /** Only of a FAIL for slowness. */
  readonly canary_slow?: number | undefined;
  readonly baseline_requests: number;
  readonly baseline_errors: number;
  readonly verdict: string;
};

/** What a change did, counted by the load process and the mesh's own counters. Times are RFC 3339, percents whole. */
export type ChangeReport = {
  readonly deployment_id: string;
  readonly git_sha: string;
  readonly digest: string;
  readonly status: string;
  readonly regions: readonly RegionName[];
  readonly weights_seen: Readonly<Record<string, readonly number[]>>;
  readonly evidence: readonly Evidence[];
  readonly failed_requests: number;
  readonly seconds: number;
};

export type BadReport = ChangeReport & {
  readonly max_weight_percent: number;
  readonly exposure: Readonly<Record<string, { readonly requests: number; readonly to_bad_version: number }>>;
  readonly requests_to_bad_version: number;
  readonly first_bad_request_at: string | null;
  readonly verdict_at: string | null;
  readonly traffic_back_at: Readonly<Record<string, string | null>>;
  readonly reason: string;
};

export type RunReport = { readonly story: number; readonly good: ChangeReport; readonly bad: BadReport };

export function changeReport(view: DeploymentView, change: Change): ChangeReport {
  const { before, after } = countsOf(change);
  const regions = Object.keys(view.regions) as RegionName[];
  const failed = regions.reduce((sum, region) => sum + exposureBetween(before, after, region, view.version).errors, 0);
  return {
    deployment_id: view.deployment_id,
    git_sha: view.git_sha,
    digest: view.digest,
    status: view.status,
    regions,
    weights_seen: change.weights ?? {},
    evidence: view.gates.map((gate) => ({
      step: gate.step,
      weight_percent: gate.weight_percent,
      ...gate.counts,
      verdict: gate.verdict,
    })),
    failed_requests: failed,
    seconds:
      Math.round(
        (Date.parse(change.ended_at ?? view.updated_at) - Date.parse(change.began_at ?? view.created_at)) / 100,
      ) / 10,
  };
}

export function badReport(view: DeploymentView, change: Change, maxWeight: number): BadReport {
  const { before, after } = countsOf(change);
  const base = changeReport(view, change);
  const exposure = Object.fromEntries(
    base.regions.map((region) => {
      const { toVersion } = exposureBetween(before, after, region, view.version);
      return [region, { requests: requestsWhile(after.regions[region], view.version), to_bad_version: toVersion }];
    }),
  );
  const versions = base.regions.map((region) => after.regions[region]?.versions[view.version]);
  const firstBad =
    versions
      .map((own) => own?.first_error_at ?? null)
      .filter((at) => at !== null)
      .sort()[0] ?? null;
  return {
    ...base,
    max_weight_percent: maxWeight,
    exposure,
    requests_to_bad_version: Object.values(exposure).reduce((sum, own) => sum + own.to_bad_version, 0),
    first_bad_request_at: firstBad,
    verdict_at: view.gates.find((gate) => gate.verdict === "FAIL")?.at ?? null,
    traffic_back_at: Object.fromEntries(
      base.regions.map((region) => [region, after.regions[region]?.versions[view.version]?.last_at ?? null]),
    ),
    reason: view.reason ?? "",
  };
}

function countsOf(change: Change): { before: LoadCounts; after: LoadCounts } {
  return { before: change.before ?? { regions: {} }, after: change.after ?? { regions: {} } };
}

/** Whether `hits` among `n` requests are what a weight of `percent` gives: two-sided exact p >= `least`. */
export function exposureIsConsistent(hits: number, n: number, percent: number, least = 0.001): boolean {
  const p = percent / 100;
  return 2 * Math.min(binomialUpper(hits, n, p), binomialCdf(hits, n, p)) >= least;
}

export function writeReport(file: string, report: RunReport): void {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}
