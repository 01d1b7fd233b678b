import type { DeploymentStatusView, DeploymentView } from "@slipway/contracts";
import pc from "picocolors";

/** A deployment as lines for people. */
export function showDeployment(view: DeploymentView, status: DeploymentStatusView): string {
  const lines = [
    `${pc.bold(view.deployment_id)}  ${paint(view.status)}  ${view.service} ${view.version} -> ${view.environment}`,
    `  plan     ${status.progress}${view.step === null ? "" : `   now at step ${view.step} (${status.weight_percent}%)`}`,
    `  errors   canary ${percent(status.canary_error_rate)}   baseline ${percent(status.baseline_error_rate)}`,
  ];
  if (status.sentence !== null) lines.push(`  verdict  ${status.verdict}: ${status.sentence}`);
  const said = /\bmore canary requests\b/.test(status.sentence ?? "");
  if (status.requests_needed !== null && status.requests_needed > 0 && !said) {
    lines.push(`  needed   about ${status.requests_needed} more canary requests`);
  }
  if (view.waiting !== null) {
    const { for: what, holder, unblockedBy } = view.waiting;
    lines.push(
      `  waiting  for ${what}${holder === undefined ? "" : ` (held by ${holder})`}; goes on when: ${unblockedBy}`,
    );
  }
  for (const [region, own] of Object.entries(view.regions)) {
    lines.push(
      `  ${region.padEnd(15)} ${own.state.padEnd(9)} ${String(own.weight_percent).padStart(3)}%${own.reason === null ? "" : `  ${own.reason}`}`,
    );
  }
  for (const [region, { last_lines = [] }] of Object.entries(view.regions)) {
    if (last_lines.length > 0)
      lines.push(`  printed  last in ${region}:`, ...last_lines.map((line) => `    | ${line}`));
  }
  if (view.reason !== null) lines.push(`  reason   ${view.reason}`);
  return lines.join("\n");
}

function percent(rate: number | null): string {
  return rate === null ? "unknown" : `${rate}%`;
}

function paint(status: string): string {
  if (status === "SUCCEEDED") return pc.green(status);
  if (status === "ROLLED_BACK" || status === "FAILED" || status === "ROLLING_BACK") return pc.red(status);
  return pc.cyan(status);
}
