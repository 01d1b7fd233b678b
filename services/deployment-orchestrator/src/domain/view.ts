import type { DeploymentStatus, DeploymentStatusView, DeploymentView, Judgement } from "@slipway/contracts";
import { addMs, type Instant, msBetween, unreachable, type Waiting } from "@slipway/kernel";
import type { Deployment, In } from "./deployment.ts";
import { approvalOfStep } from "./phases/baking.ts";
import { unprovenIn } from "./phases/unproven.ts";

/** The public status of a phase. */
export function statusOf(state: Deployment): DeploymentStatus {
  switch (state.phase) {
    case "accepted":
    case "queued":
    case "opening":
    case "preparing":
      return "IN_PROGRESS";
    case "raising":
    case "baking":
      return state.step === 0 && !state.plan.initial && state.plan.rollsBack === null && !promoted(state)
        ? "CANARY_MONITORING"
        : "ROLLING_OUT";
    case "awaiting_approval":
      return "AWAITING_APPROVAL";
    case "held":
      return "HELD";
    case "finishing":
      return "ROLLING_OUT";
    case "watching":
    case "verified":
      return "SUCCEEDED";
    case "restoring":
      return "ROLLING_BACK";
    case "rolled_back":
      return "ROLLED_BACK";
    case "failed":
      return "FAILED";
    case "cancelled":
      return "CANCELLED";
    case "superseded":
      return "SUPERSEDED";
    default:
      return unreachable(state);
  }
}

function promoted(state: In<"raising" | "baking">): boolean {
  return state.phase === "baking" && state.promotedBy !== null;
}

/** What a waiting phase waits for, who holds it, since when, and what would unblock it; null where nothing is waited for. */
export function waitingOf(state: Deployment): Waiting | null {
  switch (state.phase) {
    case "accepted":
      return { for: "the lock of its targets", since: state.plan.createdAt, unblockedBy: "the lock is granted" };
    case "queued":
      return {
        for: "the lock of its targets",
        holder: state.behind,
        since: state.since,
        unblockedBy: `${state.behind} ends`,
      };
    case "opening":
      return {
        for: `the fence in ${missing(state, state.opened)}${alreadyIn(state)}`,
        since: state.since,
        unblockedBy: "the region answers",
      };
    case "preparing":
      return {
        for: `ready pods in ${missing(state, state.ready)}${alreadyIn(state)}`,
        since: state.since,
        unblockedBy: "the pods pass their readiness check",
      };
    case "raising":
      return waitingToRaise(state);
    case "baking":
      return waitingToBake(state);
    case "awaiting_approval":
      return {
        for: "a named approval",
        since: state.since,
        unblockedBy: `an approver approves it: slipway approve ${state.plan.id} --as approver`,
      };
    case "held":
      return { for: state.why, holder: state.by, since: state.since, unblockedBy: state.unblockedBy };
    case "finishing":
      return {
        for: `the base Service in ${missing(state, state.followed)}`,
        since: state.since,
        unblockedBy: isChanged(state) ? "somebody undoes what was changed by hand, or rolls it back" : "it settles",
      };
    case "watching":
      return state.replacedBy === null ? waitingToVerify(state) : null;
    case "restoring":
      return waitingToRestore(state);
    default:
      return null;
  }
}

/** Regions of a way back do not wait for each other. */
function alreadyIn(state: In<"opening" | "preparing">): string {
  const there = state.plan.regions.filter((region) => state.regions[region]?.state === "serving");
  return there.length === 0 ? "" : `; ${state.plan.version} serves in ${there.join(", ")} already`;
}

const raisingWaits = {
  scaling: { what: "ready pods", unblockedBy: "the pods pass their readiness check" },
  arming: { what: "the watch's acknowledgement", unblockedBy: "the rollback-controller answers" },
  weighting: { what: "the weight to be served", unblockedBy: "the mesh of each region shows it" },
} as const;

function waitingToRaise(state: In<"raising">): Waiting {
  const { what, unblockedBy } = raisingWaits[state.stage];
  const where = state.stage === "arming" ? "" : ` in ${missing(state, state.done)}`;
  return { for: `${what}${where}`, since: state.since, unblockedBy };
}

function waitingToBake(state: In<"baking">): Waiting {
  const approval = approvalOfStep(state);
  if (approval !== null)
    return {
      for: "the bake of an approved step",
      holder: approval.by,
      since: state.since,
      unblockedBy: state.until,
    };
  if (state.promotedBy !== null) {
    return {
      for: "a PASS",
      holder: state.promotedBy,
      since: state.since,
      unblockedBy: "enough canary requests, or a named approval of this step: then it goes on",
    };
  }
  return {
    for: "the bake and a PASS",
    since: state.since,
    unblockedBy: `${state.until} and enough canary requests, or a named approval of this step`,
  };
}

function waitingToVerify(state: In<"watching">): Waiting {
  const verifiedAt = addMs(state.since, state.plan.verifyAfterMs);
  return { for: "verification", since: state.since, unblockedBy: `no FAIL until ${verifiedAt}` };
}

function isChanged(state: Deployment): boolean {
  return Object.values(state.regions).some(({ drift }) => drift != null && drift.kind !== "raised");
}

function missing(state: Deployment, done: readonly string[]): string {
  const left = state.plan.regions.filter((region) => !done.includes(region));
  return left.length === 0 ? "every region" : left.join(", ");
}

/** What was written and what a mesh serves are two things: proxies keep the routes that they have while their control plane is away. */
function waitingToRestore(state: In<"restoring">): Waiting {
  const left = state.plan.regions.filter((region) => state.regions[region]?.state !== "retired");
  const written = left.filter((region) => unprovenIn(state.regions[region]) !== undefined);
  const rest = left.filter((region) => !written.includes(region));
  const parts = [
    ...(rest.length > 0 || left.length === 0 ? [`traffic and pods in ${rest.join(", ") || "every region"}`] : []),
    ...(written.length > 0 ? [`proof from the mesh of ${written.join(", ")}, where weight 0 is written`] : []),
  ];
  return {
    for: parts.join("; "),
    since: state.since,
    unblockedBy: "each region shows the baseline alone",
  };
}

/** The plan as people say it: `5% -> 25% -> 50% -> 100%`. */
export function progressOf(state: Deployment): string {
  return state.plan.steps.map((step) => `${step.weightPercent}%`).join(" -> ");
}

export function stepOf(state: Deployment): number | null {
  switch (state.phase) {
    case "raising":
    case "baking":
    case "held":
    case "awaiting_approval":
      return state.step;
    default:
      return null;
  }
}

/** The whole deployment as the API shows it. */
export function deploymentView(state: Deployment, updatedAt: Instant): DeploymentView {
  const { plan } = state;
  const epochs = "epochs" in state ? state.epochs : {};
  return {
    deployment_id: plan.id,
    status: statusOf(state),
    phase: state.phase,
    service: plan.service,
    environment: plan.environment,
    version: plan.version,
    digest: plan.digest,
    git_sha: plan.gitSha,
    strategy: plan.strategy,
    initial: plan.initial,
    plan: plan.steps.map((step) => ({ weight_percent: step.weightPercent, bake_ms: step.bakeMs })),
    step: stepOf(state),
    regions: Object.fromEntries(
      plan.regions.map((region) => [region, regionView(state, region, epochs[region] ?? null)]),
    ),
    gates: state.gates.map(({ weightPercent, canaryRequests: _, ...gate }) => ({
      ...gate,
      weight_percent: weightPercent,
    })),
    verified: state.phase === "verified",
    rolls_back: plan.rollsBack,
    waiting: waitingOf(state),
    reason: "reason" in state ? state.reason : null,
    requested_by: plan.requestedBy,
    created_at: plan.createdAt,
    updated_at: updatedAt,
  };
}

function regionView(state: Deployment, region: string, epoch: number | null): DeploymentView["regions"][string] {
  const progress = state.regions[region];
  const unproven = unprovenIn(progress);
  return {
    state: progress?.state ?? "pending",
    weight_percent: progress?.weightPercent ?? 0,
    epoch,
    baseline: state.plan.baselines[region] ?? null,
    reason: progress?.reason ?? null,
    ...(progress?.lastLines === undefined ? {} : { last_lines: [...progress.lastLines] }),
    ...(progress?.pods === undefined ? {} : { pods: [...progress.pods] }),
    ...(unproven === undefined ? {} : { unproven: { since: unproven.at, from_percent: unproven.fromPercent } }),
  };
}

/** The short answer of the fixed API: rates in percent, minutes of bake that are left; null where nothing is known. */
export function statusView(state: Deployment, judgement: Judgement | null, now: Instant): DeploymentStatusView {
  const counts = judgement?.counts;
  const step = stepOf(state);
  return {
    deployment_id: state.plan.id,
    status: statusOf(state),
    canary_error_rate: rate(counts?.canary_errors, counts?.canary_requests),
    baseline_error_rate: rate(counts?.baseline_errors, counts?.baseline_requests),
    time_remaining_min: minutesLeft(state, now),
    progress: progressOf(state),
    step,
    weight_percent: Math.max(0, ...Object.values(state.regions).map((region) => region.weightPercent)),
    verdict: judgement?.verdict ?? null,
    sentence: judgement?.sentence ?? null,
    requests_needed: judgement?.requests_needed ?? null,
    waiting: waitingOf(state),
  };
}

function rate(errors: number | undefined, requests: number | undefined): number | null {
  if (errors === undefined || requests === undefined || requests === 0) return null;
  return Math.round((errors / requests) * 10_000) / 100;
}

function minutesLeft(state: Deployment, now: Instant): number | null {
  if (state.phase !== "raising" && state.phase !== "baking") return null;
  const present =
    state.phase === "baking" ? Math.max(0, msBetween(now, state.until)) : (state.plan.steps[state.step]?.bakeMs ?? 0);
  const later = state.plan.steps.slice(state.step + 1).reduce((sum, step) => sum + step.bakeMs, 0);
  return Math.ceil((present + later) / 60_000);
}
