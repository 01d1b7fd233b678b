import type { DeploymentView } from "@slipway/contracts";
import { caughtAfter } from "../story/counts-text.ts";
import { badReport, changeReport } from "../story/report.ts";
import type { Change } from "../story/state.ts";
import { usualRuleCost } from "../story/summary.ts";

/**
 * How a change ended and what it cost, in one sentence, from what the load process counted before and after. `maxWeight`: the largest percent that
 * a proxy served of it. Undefined for an end that nothing can be counted of.
 */
export function outcomeOf(view: DeploymentView, change: Change, maxWeight: number): string | undefined {
  if (view.status === "SUCCEEDED") return succeeded(view, change);
  if (view.status !== "ROLLED_BACK") return undefined;
  return view.gates.some((gate) => gate.verdict === "FAIL")
    ? caught(view, change, maxWeight)
    : takenBack(view, change, maxWeight);
}

function succeeded(view: DeploymentView, change: Change): string {
  const { failed_requests, seconds } = changeReport(view, change);
  return `100% after ${seconds} s and ${requests(failed_requests)} failed`;
}

function takenBack(view: DeploymentView, change: Change, maxWeight: number): string {
  const { failed_requests } = badReport(view, change, maxWeight);
  return `taken back at ${maxWeight}% with ${requests(failed_requests)} failed`;
}

function caught(view: DeploymentView, change: Change, maxWeight: number): string {
  const report = badReport(view, change, maxWeight);
  const back = latest(Object.values(report.traffic_back_at));
  const began = report.first_bad_request_at ?? firstAnswerAt(view, change);
  const seconds = began === null || back === null ? null : (Date.parse(back) - Date.parse(began)) / 1_000;
  const time = seconds === null ? "" : `, back in ${Math.max(0.1, seconds).toFixed(1)} s`;
  const { failed } = usualRuleCost({ story: 0, good: report, bad: report });
  const usual =
    report.failed_requests === 0
      ? " would never have fired: nothing failed"
      : `: ${Math.max(failed, report.failed_requests)} requests`;
  return `caught at ${maxWeight}% after ${caughtAfter(report)}${time}; the usual rule “error rate over 1% for 60 s”${usual}`;
}

/** What only slows down has no first failure: its time counts from its first answer. */
function firstAnswerAt(view: DeploymentView, { after }: Change): string | null {
  const firsts = Object.values(after?.regions ?? {}).map((region) => region.versions[view.version]?.first_at ?? null);
  return firsts.filter((at) => at !== null).sort()[0] ?? null;
}

function latest(times: readonly (string | null)[]): string | null {
  return (
    times
      .filter((at) => at !== null)
      .sort()
      .at(-1) ?? null
  );
}

function requests(count: number): string {
  return count === 1 ? "1 request" : `${count} requests`;
}
