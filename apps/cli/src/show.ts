import { type DeploymentStatusView, type DeploymentView, waitingText } from "@slipway/contracts";
import pc from "picocolors";

/** A deployment as lines for people. */
export function showDeployment(view: DeploymentView, status: DeploymentStatusView): string {
  const lines = [
    `${pc.bold(view.deployment_id)}  ${paint(view.status)}  ${view.service} ${view.version} -> ${view.environment}`,
    `  plan     ${status.progress}${view.step === null ? "" : `   at ${status.weight_percent}%, step ${view.step + 1} of ${view.plan.length}`}`,
    `  errors   canary ${percent(status.canary_error_rate)}   baseline ${percent(status.baseline_error_rate)}`,
  ];
  lines.push(...evidenceLines(view, status));
  if (view.waiting !== null) lines.push(`  now      ${waitingText(view)}`);
  for (const [region, own] of Object.entries(view.regions)) {
    const said = [unprovenText(own.unproven), own.reason].filter((text) => text != null).join("; ");
    lines.push(
      `  ${region.padEnd(15)} ${own.state.padEnd(9)} ${String(own.weight_percent).padStart(3)}%${said === "" ? "" : `  ${said}`}`,
    );
  }
  lines.push(...podLines(view));
  if (view.reason !== null) lines.push(`  reason   ${view.reason}`);
  return lines.join("\n");
}

function unprovenText(unproven: DeploymentView["regions"][string]["unproven"]): string | undefined {
  return unproven && `written at ${unproven.since}, not yet proven in its mesh (it served ${unproven.from_percent}%)`;
}

function evidenceLines(view: DeploymentView, status: DeploymentStatusView): string[] {
  const lines: string[] = [];
  const failed = view.gates.find((gate) => gate.verdict === "FAIL")?.counts;
  if (failed?.canary_slow !== undefined)
    lines.push(
      `  slow     ${failed.canary_slow} of ${failed.canary_requests} canary requests, over the baseline's limit`,
    );
  if (status.sentence !== null) lines.push(`  verdict  ${status.verdict}: ${status.sentence}`);
  const said = /\bmore canary requests\b/.test(status.sentence ?? "");
  if (status.requests_needed !== null && status.requests_needed > 0 && !said) {
    lines.push(`  needed   about ${status.requests_needed} more canary requests`);
  }
  return lines;
}

/** What is known of pods that did not get ready. */
function podLines(view: DeploymentView): string[] {
  const lines: string[] = [];
  for (const [region, { pods = [] }] of Object.entries(view.regions)) {
    if (pods.length > 0) lines.push(`  pods     in ${region}:`, ...pods.map((pod) => `    ${pod}`));
  }
  for (const [region, { last_lines = [] }] of Object.entries(view.regions)) {
    if (last_lines.length > 0)
      lines.push(`  printed  last in ${region}:`, ...last_lines.map((line) => `    | ${line}`));
  }
  return lines;
}

function percent(rate: number | null): string {
  return rate === null ? "unknown" : `${rate}%`;
}

function paint(status: string): string {
  if (status === "SUCCEEDED") return pc.green(status);
  if (status === "ROLLED_BACK" || status === "FAILED" || status === "ROLLING_BACK") return pc.red(status);
  return pc.cyan(status);
}
