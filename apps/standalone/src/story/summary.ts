import type { Check } from "./checks.ts";
import { caughtAfter } from "./counts-text.ts";
import type { Narrator } from "./narrator.ts";
import type { RunReport } from "./report.ts";

const ruleSeconds = 60;

/** What the usual rule ("error rate over 1% for 60 s") would have cost: the failing that was measured, for as long as the rule takes to fire. */
export function usualRuleCost(report: RunReport): { readonly failed: number; readonly seconds: number } {
  const { bad } = report;
  const back = Object.values(bad.traffic_back_at)
    .filter((at) => at !== null)
    .sort()
    .at(-1);
  const began = bad.first_bad_request_at;
  if (back === undefined || began === null) return { failed: 0, seconds: ruleSeconds };
  const seconds = Math.max(0.1, (Date.parse(back) - Date.parse(began)) / 1_000);
  return { failed: Math.round((bad.failed_requests / seconds) * ruleSeconds), seconds: ruleSeconds };
}

export function tellSummary(tell: Narrator, report: RunReport, checks: readonly Check[]): void {
  const { good, bad } = report;
  tell.chapter("Summary");
  tell.line(
    `Good change ${good.deployment_id}: ${good.status} in ${good.seconds} s, ${good.failed_requests} failed requests.`,
  );
  for (const gate of good.evidence.filter((e) => e.weight_percent < 100)) {
    tell.line(
      `  at ${gate.weight_percent}%: ${gate.verdict} on ${gate.canary_requests} canary requests (${gate.canary_errors} failed)`,
    );
  }
  const usual = usualRuleCost(report);
  const back =
    Object.values(bad.traffic_back_at)
      .filter((at) => at !== null)
      .sort()
      .at(-1) ?? null;
  tell.line(
    `Bad change ${bad.deployment_id}: ${bad.status}, caught at ${bad.max_weight_percent}% after ${caughtAfter(bad)}.`,
  );
  tell.line(
    `  ${bad.requests_to_bad_version} requests reached it; from the first failure to the verdict ${between(bad.first_bad_request_at, bad.verdict_at)}, to traffic back everywhere ${between(bad.first_bad_request_at, back)}`,
  );
  tell.line(
    `  the usual rule (error rate over 1% for ${usual.seconds} s) would have cost about ${usual.failed} failed requests on the same traffic`,
  );
  tell.line(`  ${bad.reason}`);
  for (const check of checks) tell.line(`${check.holds ? "held  " : "FAILED"}  ${check.what}`);
}

function between(from: string | null, to: string | null): string {
  return from === null || to === null ? "?" : `${((Date.parse(to) - Date.parse(from)) / 1_000).toFixed(1)} s`;
}
