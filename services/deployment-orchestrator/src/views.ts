import { type DeploymentStatusView, type DeploymentView, getWatch, ProblemError } from "@slipway/contracts";
import type { DeploymentId, Instant } from "@slipway/kernel";
import { deploymentView, statusView } from "./domain/view.ts";
import { waitingWhileObserved } from "./observing.ts";
import { waitingOfAccepted, withReasons } from "./reasons.ts";
import type { Service } from "./service.ts";
import { withUnreadyPods } from "./unready-pods.ts";

/** The status is told without the watch's figures before whoever asks for it gives up. */
const watchWithinMs = 2_000;

/** The whole deployment, with what it waits for and why what was tried has not worked. */
export async function viewNow(service: Service, id: DeploymentId): Promise<DeploymentView> {
  const row = await readDeployment(service, id);
  const pending = await service.durable.pending(service.machine, id);
  const seen = await withUnreadyPods(service, row.state, deploymentView(row.state, row.updatedAt));
  const { plan } = row.state;
  const reasons = withReasons(seen, pending);
  const view = { ...reasons, waiting: waitingOfAccepted({ ...reasons, createdAt: plan.createdAt }, pending) };
  const observed = await service.behind.observed(plan);
  return { ...view, waiting: waitingWhileObserved({ ...view, regions: plan.regions }, observed) };
}

/** How it is doing, with what the rollback-controller saw last. */
export async function statusNow(service: Service, id: DeploymentId, now: Instant): Promise<DeploymentStatusView> {
  const { state } = await readDeployment(service, id);
  const watch = await service.client
    .call(getWatch, { params: { id }, timeoutMs: watchWithinMs })
    .catch(() => undefined);
  const view = statusView(state, watch?.judgement ?? null, now);
  const { phase, plan } = state;
  const observed = await service.behind.observed(plan);
  const pending = phase === "accepted" ? await service.durable.pending(service.machine, id) : [];
  const waiting = waitingOfAccepted({ phase, waiting: view.waiting, createdAt: plan.createdAt }, pending);
  return { ...view, waiting: waitingWhileObserved({ phase, waiting, regions: plan.regions }, observed) };
}

/** As it is stored. Throws deployment.not_found. */
export async function readDeployment(service: Pick<Service, "durable" | "machine">, id: DeploymentId) {
  const row = await service.durable.read(service.machine, id);
  if (row === undefined) throw new ProblemError("deployment.not_found", `There is no deployment ${id}.`);
  return row;
}
