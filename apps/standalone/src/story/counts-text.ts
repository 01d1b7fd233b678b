import type { DeploymentView } from "@slipway/contracts";
import type { ChangeReport } from "./report.ts";

type Gate = DeploymentView["gates"][number];

/** The counts of a gate: `canary 5/122 failed, baseline 0/2840`, and how many were slow where that is what it failed for. */
export function countsText({ counts }: Pick<Gate, "counts">): string {
  const { canary_requests, canary_errors, canary_slow, baseline_requests, baseline_errors } = counts;
  const slow = canary_slow === undefined ? "" : `${canary_slow}/${canary_requests} slow, `;
  return `canary ${slow}${canary_errors}/${canary_requests} failed, baseline ${baseline_errors}/${baseline_requests}`;
}

/** What a bad change was caught after: what users saw fail, or, where it fails nothing more than usual, what they waited for. */
export function caughtAfter({
  failed_requests: failed,
  evidence,
}: Pick<ChangeReport, "failed_requests" | "evidence">): string {
  const slow = evidence.find(({ verdict }) => verdict === "FAIL")?.canary_slow;
  if (slow === undefined) return failed === 1 ? "1 failed request" : `${failed} failed requests`;
  const also = failed === 0 ? "" : `, and ${failed} failed`;
  return `${slow} request${slow === 1 ? "" : "s"} slower than the baseline's limit${also}`;
}
