import type { BuildView, DeploymentStatus, DeploymentView } from "@slipway/contracts";

const over: readonly DeploymentStatus[] = ["SUCCEEDED", "ROLLED_BACK", "FAILED", "CANCELLED", "SUPERSEDED"];
/** How long the end of what was shipped from the page stays before whatever else is going on. */
const endStaysMs = 60_000;

export function isOver({ status }: Pick<DeploymentView, "status">): boolean {
  return over.includes(status);
}

/**
 * Of deployments, newest first, the one that people look at: what is under way in prod, then what ended just now of those with an outcome (the page
 * shipped them, and waits to tell what it cost), then what is under way elsewhere, else the newest. Others deploy meanwhile: their dev is not news here.
 */
export function shownOf(
  deployments: readonly DeploymentView[],
  outcome: (own: DeploymentView) => string | null,
  nowMs: number,
): DeploymentView | undefined {
  const underWay = deployments.filter((own) => !isOver(own));
  return (
    underWay.find(({ environment }) => environment === "prod") ??
    deployments.find(
      (own) => isOver(own) && nowMs - Date.parse(own.updated_at) < endStaysMs && outcome(own) !== null,
    ) ??
    underWay[0] ??
    deployments[0]
  );
}

/** Of builds, newest first: one that runs, of the service that is shown before others; then the one of what is shown, else the newest. */
export function buildOf(builds: readonly BuildView[], shown: DeploymentView | undefined): BuildView | null {
  const running = builds.filter(({ status }) => status === "QUEUED" || status === "RUNNING");
  const isOfService = ({ service }: BuildView) => service === shown?.service;
  return (
    running.find(isOfService) ??
    running[0] ??
    builds.find((build) => isOfService(build) && build.git_sha === shown?.git_sha) ??
    builds[0] ??
    null
  );
}
