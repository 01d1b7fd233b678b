import { addMs, type Instant, msBetween, type Refusal, refuse, type Step, step } from "@slipway/kernel";
import { allSucceeded, anyRunning, endSteps, firstBad, startReady, waitingSteps } from "./pipeline.ts";
import type { About, BuildCommand, BuildEvent, BuildInput, BuildState, Fact, Phase } from "./state.ts";

type Decision = Step<BuildState, BuildCommand> | Refusal;
type In<P extends Phase> = Extract<BuildState, { phase: P }>;
type Live = In<"queued" | "checking_out" | "running" | "imaging" | "registering">;

export const terminalPhases = ["succeeded", "failed", "cancelled"] as const satisfies readonly Phase[];
const longestBuildMs = 3_600_000;
const mostRestarts = 3;

/** A build as it comes into being, with its first commands. `committedAt` is the push's word; the checkout knows better. */
export function queueBuild(
  about: Omit<About, "deadline">,
  committedAt: Instant,
): { state: BuildState; commands: BuildCommand[] } {
  const deadline = addMs(about.queuedAt, longestBuildMs);
  return {
    state: { ...about, deadline, phase: "queued" },
    commands: [
      publish({ type: "queued", committedAt }, about.queuedAt),
      { type: "begin" },
      { type: "give_up", at: deadline },
    ],
  };
}

/** What a build does next. Pure; see STATES.md for the table. */
export function decide(state: BuildState, input: BuildInput): Decision {
  if (isTerminal(state)) {
    return input.type === "cancel"
      ? refuse("build.finished", `build ${state.buildId} has ended: ${state.phase}`)
      : step(state);
  }
  if (input.type === "cancel") return cancel(state, input.by, input.reason, input.at);
  if (input.type === "deadline_passed") return fail(state, input.at, `not done by its deadline, ${state.deadline}`);
  if (input.type === "workspace_lost") return beginAgain(state, input.at);
  return decideFact(state, input);
}

type Progress = Exclude<Fact, { type: "deadline_passed" | "workspace_lost" }>;

/** Facts move exactly one phase each; in another phase they come late. */
function decideFact(state: Live, fact: Progress): Decision {
  if (state.phase === "queued" && fact.type === "begun") {
    const { isolation, at } = fact;
    const next: BuildState = { ...state, phase: "checking_out", isolation, startedAt: at, restarts: 0 };
    return step(next, [publish({ type: "started" }, at), { type: "check_out" }]);
  }
  if (state.phase === "checking_out") return whileCheckingOut(state, fact);
  if (state.phase === "running" && fact.type === "step_finished") return stepFinished(state, fact);
  if (state.phase === "imaging") {
    if (fact.type === "imaged") {
      const { digest, base = null, bases } = fact;
      const stands = bases === undefined ? { base } : { base, bases };
      const next: BuildState = { ...state, phase: "registering", digest, ...stands };
      return step<BuildState, BuildCommand>(next, [{ type: "register" }]);
    }
    if (fact.type === "image_failed") return fail(state, fact.at, fact.reason);
  }
  if (state.phase === "registering") return whileRegistering(state, fact);
  return step(state);
}

function whileCheckingOut(state: In<"checking_out">, fact: Progress): Decision {
  if (fact.type === "checkout_failed") return fail(state, fact.at, fact.reason);
  if (fact.type !== "checked_out") return step(state);
  const { steps, started } = startReady(fact.plan, waitingSteps(fact.plan), fact.at);
  const { committedAt, plan, place } = fact;
  const planned = { ...(place === undefined ? {} : { place }), committedAt, plan, steps };
  if (plan.length === 0) return step({ ...state, ...planned, phase: "imaging" }, [{ type: "write_image" }]);
  return step({ ...state, ...planned, phase: "running" }, started.map(runStep));
}

function stepFinished(state: In<"running">, fact: Extract<Fact, { type: "step_finished" }>): Decision {
  const before = state.steps[fact.step];
  if (before?.state !== "running") return step(state);
  const { outcome, exitCode, reason, image = null, at } = fact;
  const ended = { state: outcome, startedAt: before.startedAt, endedAt: at, exitCode, reason, image } as const;
  const { steps, started } = startReady(state.plan, { ...state.steps, [fact.step]: ended }, at);
  const told = publish(
    { type: "step_finished", step: fact.step, outcome, exitCode, ms: msBetween(before.startedAt, at) },
    at,
  );
  const next: In<"running"> = { ...state, steps };
  if (allSucceeded(steps)) return step({ ...next, phase: "imaging" }, [told, { type: "write_image" }]);
  const bad = firstBad(state.plan, steps);
  // Steps that run beside the failed one finish: their result is news too.
  if (bad === undefined || anyRunning(steps)) return step(next, [told, ...started.map(runStep)]);
  return fail(next, at, `step ${bad.name}: ${bad.why}`, bad.name, [told]);
}

function whileRegistering(state: In<"registering">, fact: Progress): Decision {
  if (fact.type === "register_refused") return fail(state, fact.at, fact.reason);
  if (fact.type !== "registered") return step(state);
  const ms = msBetween(state.queuedAt, fact.at);
  const told = publish({ type: "succeeded", digest: state.digest, ms }, fact.at);
  return step({ ...state, phase: "succeeded", endedAt: fact.at }, [told, { type: "clean_up" }]);
}

function cancel(state: Live, by: string, reason: string, at: Instant): Decision {
  if (state.phase === "registering") {
    return refuse(
      "build.finished",
      `the image of ${state.buildId} is being registered`,
      "Wait a moment and look again.",
    );
  }
  const next: BuildState = { ...ended(state, at, reason), phase: "cancelled", endedAt: at, reason, by };
  return { ...step(next, [publish({ type: "cancelled", reason }, at), { type: "clean_up" }]), supersedes: true };
}

function fail(
  state: Live,
  at: Instant,
  reason: string,
  failedStep: string | null = null,
  before: readonly BuildCommand[] = [],
): Decision {
  const next: BuildState = { ...ended(state, at, reason), phase: "failed", endedAt: at, reason, failedStep };
  const told = publish({ type: "failed", reason, step: failedStep, ms: msBetween(state.queuedAt, at) }, at);
  return { ...step(next, [...before, told, { type: "clean_up" }]), supersedes: true };
}

function ended<S extends Live>(state: S, at: Instant, reason: string): S {
  return "steps" in state ? { ...state, steps: endSteps(state.steps, at, reason) } : state;
}

/** From the checkout on, all anew: whatever was made of the lost files is void. */
function beginAgain(state: Live, at: Instant): Decision {
  if (state.phase !== "running" && state.phase !== "imaging") return step(state);
  if (state.restarts >= mostRestarts) return fail(state, at, "its workspace was lost again and again");
  const { plan: _plan, steps: _steps, committedAt: _committedAt, place: _place, ...kept } = state;
  const next: BuildState = { ...kept, phase: "checking_out", restarts: state.restarts + 1 };
  return { ...step<BuildState, BuildCommand>(next, [{ type: "check_out" }]), supersedes: true };
}

function isTerminal(state: BuildState): state is Exclude<BuildState, Live> {
  return (terminalPhases as readonly Phase[]).includes(state.phase);
}

function publish(event: BuildEvent, at: Instant): BuildCommand {
  return { type: "publish", event, at };
}

function runStep(name: string): BuildCommand {
  return { type: "run_step", step: name };
}
