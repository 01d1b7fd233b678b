import type { Instant } from "@slipway/kernel";
import type { PlannedStep, StepState, Steps } from "./state.ts";

/** What is wrong with the order of the steps, by step; none when they can all run. */
export function planProblems(plan: readonly PlannedStep[]): { step: string; message: string }[] {
  const names = new Set(plan.map(({ name }) => name));
  const unknown = plan.flatMap(({ name, needs }) =>
    needs
      .filter((need) => !names.has(need))
      .map((need) => ({ step: name, message: `step "${name}" needs "${need}", which does not exist` })),
  );
  const cycle = findCycle(plan.map((step) => ({ ...step, needs: step.needs.filter((need) => names.has(need)) })));
  if (cycle === undefined) return unknown;
  return [...unknown, { step: cycle[0] ?? "", message: `steps wait for each other: ${cycle.join(" -> ")}` }];
}

function findCycle(plan: readonly PlannedStep[]): string[] | undefined {
  const needs = new Map(plan.map((step) => [step.name, step.needs]));
  const sound = new Set<string>();
  const walk = (name: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (sound.has(name)) return undefined;
    for (const need of needs.get(name) ?? []) {
      const found = walk(need, [...path, name]);
      if (found !== undefined) return found;
    }
    sound.add(name);
    return undefined;
  };
  for (const { name } of plan) {
    const found = walk(name, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

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

/**
 * The steps whose files a step (or, without a name, the image) is given, in an order that respects `needs`. A step sees
 * what its needs made and what those saw; the image is made from every step that another one needs, or from all steps
 * where none needs another. So what tests leave behind does not get into an image.
 */
export function inputsOf(plan: readonly PlannedStep[], step?: string): string[] {
  const needs = new Map(plan.map((planned) => [planned.name, planned.needs]));
  const producers = new Set(plan.flatMap((planned) => planned.needs));
  const roots =
    step === undefined ? (producers.size === 0 ? [...needs.keys()] : [...producers]) : (needs.get(step) ?? []);
  const ordered: string[] = [];
  const visit = (name: string): void => {
    if (ordered.includes(name)) return;
    for (const need of needs.get(name) ?? []) visit(need);
    ordered.push(name);
  };
  for (const { name } of plan) if (roots.includes(name)) visit(name);
  return ordered;
}

/** Steps that no other one needs. What they leave gets into an image only where nothing else made the path. */
export function leavesOf(plan: readonly PlannedStep[]): string[] {
  const needed = inputsOf(plan);
  return plan.map(({ name }) => name).filter((name) => !needed.includes(name));
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
