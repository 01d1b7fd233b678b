import type { BuildView } from "@slipway/contracts";
import type { BuildState, Phase, StepState } from "./domain/state.ts";

const statuses: Record<Phase, BuildView["status"]> = {
  queued: "QUEUED",
  checking_out: "RUNNING",
  running: "RUNNING",
  imaging: "RUNNING",
  registering: "RUNNING",
  succeeded: "SUCCEEDED",
  failed: "FAILED",
  cancelled: "CANCELLED",
};

/** A build as the API shows it. Steps are in the order of slipway.yaml. */
export function viewOf(state: BuildState): BuildView {
  const steps = "steps" in state ? state.steps : undefined;
  const plan = "plan" in state ? state.plan : undefined;
  return {
    build_id: state.buildId,
    service: state.service,
    git_sha: state.gitSha,
    ref: state.ref,
    author: state.author,
    status: statuses[state.phase],
    steps: (plan ?? []).flatMap(({ name }) => {
      const step = steps?.[name];
      return step === undefined ? [] : [stepView(name, step)];
    }),
    digest: "digest" in state ? state.digest : null,
    isolation: "isolation" in state ? (state.isolation ?? null) : null,
    reason: "reason" in state ? state.reason : null,
    waiting: waitingOf(state),
    created_at: state.queuedAt,
    ended_at: "endedAt" in state ? state.endedAt : null,
  };
}

export function statusOf(state: BuildState): BuildView["status"] {
  return statuses[state.phase];
}

function stepView(name: string, step: StepState): BuildView["steps"][number] {
  return {
    name,
    state: step.state,
    exit_code: "exitCode" in step ? step.exitCode : null,
    started_at: "startedAt" in step ? step.startedAt : null,
    ended_at: "endedAt" in step ? step.endedAt : null,
  };
}

function waitingOf(state: BuildState): BuildView["waiting"] {
  if (state.phase !== "queued") return null;
  return { for: "a place among the running builds", since: state.queuedAt, unblockedBy: "the end of another build" };
}
