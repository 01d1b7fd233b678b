import type { Instant } from "@slipway/kernel";
import type { PlannedStep, StepState, Steps } from "./state.ts";

export function waitingSteps(plan: readonly PlannedStep[]): Steps {
  return Object.fromEntries(plan.map(({ name }) => [name, { state: "waiting" } satisfies StepState]));
}

/** Marks every step that may run now as running and names them. Nothing starts once a step has not succeeded. */
export function startReady(
  plan: readonly PlannedStep[],
  steps: Steps,
  at: Instant,
): { steps: Steps; started: string[] } {
  if (Object.values(steps).some((step) => isBad(step))) return { steps, started: [] };
  const started = plan
    .filter(({ name, needs }) => steps[name]?.state === "waiting" && needs.every((need) => succeeded(steps[need])))
    .map(({ name }) => name);
  const running = started.map((name) => [name, { state: "running", startedAt: at } satisfies StepState]);
  return { steps: { ...steps, ...Object.fromEntries(running) }, started };
}

/** Ends what has not ended: what waits is skipped, what runs is cancelled. */
export function endSteps(steps: Steps, at: Instant, reason: string): Steps {
  const ended = Object.entries(steps).map(([name, step]): [string, StepState] => {
    if (step.state === "waiting") return [name, { state: "skipped" }];
    if (step.state !== "running") return [name, step];
    return [name, { state: "cancelled", startedAt: step.startedAt, endedAt: at, exitCode: null, reason }];
  });
  return Object.fromEntries(ended);
}

export function anyRunning(steps: Steps): boolean {
  return Object.values(steps).some((step) => step.state === "running");
}

export function allSucceeded(steps: Steps): boolean {
  return Object.values(steps).every((step) => step.state === "succeeded");
}

/** The first step, in the order of the file, that did not succeed. */
export function firstBad(plan: readonly PlannedStep[], steps: Steps): { name: string; why: string } | undefined {
  for (const { name } of plan) {
    const step = steps[name];
    if (step !== undefined && isBad(step)) return { name, why: whyBad(step) };
  }
  return undefined;
}

function succeeded(step: StepState | undefined): boolean {
  return step?.state === "succeeded";
}

function isBad(step: StepState): boolean {
  return step.state === "failed" || step.state === "timed_out" || step.state === "cancelled";
}

function whyBad(step: StepState): string {
  return "reason" in step && step.reason !== null ? step.reason : step.state.replace("_", " ");
}
