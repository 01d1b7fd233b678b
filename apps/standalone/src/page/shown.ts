import { type BuildView, type DeploymentView, endedStatuses } from "@slipway/contracts";

/** How long the end of a deployment to prod stays before whatever else is going on: it is about to say what it cost. */
const endStaysMs = 60_000;

export function isOver({ status }: Pick<DeploymentView, "status">): boolean {
  return endedStatuses.has(status);
}

/**
 * Of deployments, newest first, the one that people look at: what is under way in prod, then the last one there where it ended just now, then what is
 * under way elsewhere, else the newest. Others deploy meanwhile: their dev is not news here.
 */
export function shownOf(deployments: readonly DeploymentView[], nowMs: number): DeploymentView | undefined {
  const ofProd = deployments.filter(({ environment }) => environment === "prod");
  const [last] = ofProd;
  const endedJustNow = last !== undefined && nowMs - Date.parse(last.updated_at) < endStaysMs;
  const isUnderWay = (own: DeploymentView) => !isOver(own);
  return ofProd.find(isUnderWay) ?? (endedJustNow ? last : undefined) ?? deployments.find(isUnderWay) ?? deployments[0];
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
