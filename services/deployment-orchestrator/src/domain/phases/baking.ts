import type { Judgement } from "@slipway/contracts";
import { addMs, type Instant, msBetween, refuse, step } from "@slipway/kernel";
import type { Answer } from "../answers.ts";
import type { Command } from "../command.ts";
import { type Gate, type In, setRegions } from "../deployment.ts";
import { gatePasses } from "../exposure.ts";
import { gateOf } from "../gate-of.ts";
import type { Input } from "../input.ts";
import { beginFinish, beginStep, gateEvent, hold, recordGate, stay } from "../moves.ts";
import { onExposed, onFail, sameEpochs, takeBack } from "./failing.ts";

/** A promote that arrives just after a step change was meant for the step before it. */
const promoteGuardMs = 10_000;
const watchCheckMs = 5_000;
const silenceDrainMs = 15 * 60_000;

export function onBaking(state: In<"baking">, input: Input): Answer {
  switch (input.type) {
    case "Judged":
      if (!sameEpochs(state, input.epochs) || input.judgement.step !== state.step) return stay(state);
      return onJudged(state, input.judgement, input.now);
    case "TimeReached":
      return onTime(state, input);
    case "WatchSeen":
      return input.step === state.step ? onSeen(state, input) : stay(state);
    case "WatchSilent":
      return onSilent(state, input);
    case "Promote":
      return onPromote(state, input);
    case "Halt":
      return hold(state, input.reason, input.by, "a person resumes it", input.now);
    default:
      return onExposed(state, input);
  }
}

function onJudged(state: In<"baking">, judgement: Judgement, now: Instant): Answer {
  if (judgement.verdict === "FAIL") return onFail(state, judgement, now);
  return advance({ ...state, latest: gateOf(judgement) }, now);
}

function onTime(state: In<"baking">, input: Extract<Input, { type: "TimeReached" }>): Answer {
  if (input.purpose === "bake") return advance(state, input.now);
  if (input.purpose === "evidence" && input.now >= addMs(state.since, 24 * 3_600_000)) {
    return takeBack(state, "NO_EVIDENCE: a day passed without enough requests for a verdict", "slipway", input.now);
  }
  return stay(state);
}

/** Goes on when the time has passed (or a person ended it) and the evidence is there; never for one of them alone. */
function advance(state: In<"baking">, now: Instant): Answer {
  const timeIsUp = now >= state.until || state.promotedBy !== null;
  const gate = state.latest;
  if (!timeIsUp || !gateAllows(state, gate)) return step(state);
  const passed = gate === null ? state : recordGate(state, gate);
  const next =
    state.step + 1 < state.plan.steps.length ? beginStep(passed, state.step + 1, now) : beginFinish(passed, now);
  return gate === null ? next : { ...next, commands: [gateEvent(state, gate), ...next.commands] };
}

/**
 * A canary step needs a PASS recomputed from its counts. Where there is nothing to compare with (the confirmed first deployment, the way back
 * to a verified version) the absolute checks of the watch must not have failed. The step at 100% of a proven version has no canary to hold.
 */
function gateAllows(state: In<"baking">, gate: Gate | null): boolean {
  if (state.plan.initial || state.plan.rollsBack !== null) return true;
  const last = state.step === state.plan.steps.length - 1 && state.plan.steps[state.step]?.weightPercent === 100;
  return last || (gate !== null && gatePasses(gate, state.plan.regions));
}

/** The regular look at the watch itself: it also brings a judgement whose event was late. */
function onSeen(state: In<"baking">, input: Extract<Input, { type: "WatchSeen" }>): Answer {
  const again: Command = { type: "CheckWatch", step: state.step, at: addMs(input.now, watchCheckMs) };
  const { judgement } = input;
  if (judgement === null || judgement.step !== state.step || !sameEpochs(state, input.epochs))
    return step(state, [again]);
  const answer = onJudged(state, judgement, input.now);
  const goesOn = answer.kind === "step" && answer.state.phase === "baking";
  return goesOn ? { ...answer, commands: [...answer.commands, again] } : answer;
}

function onSilent(state: In<"baking">, input: Extract<Input, { type: "WatchSilent" }>): Answer {
  if (input.step !== state.step) return stay(state);
  if (msBetween(input.since, input.now) >= silenceDrainMs && !state.plan.initial) {
    return takeBack(state, "nobody has watched this canary for 15 minutes", "slipway", input.now);
  }
  const regions = setRegions(state, { reason: `no look since ${input.since}` });
  return step({ ...state, regions }, [{ type: "CheckWatch", step: state.step, at: addMs(input.now, watchCheckMs) }]);
}

function onPromote(state: In<"baking">, input: Extract<Input, { type: "Promote" }>): Answer {
  const { expectedStep, now, by } = input;
  const bakeMs = msBetween(state.since, state.until);
  if (expectedStep !== null && expectedStep !== state.step) {
    return refuse(
      "deployment.step_changed",
      `${state.plan.id} is at step ${state.step}, not ${expectedStep}.`,
      "Read its status and ask again.",
    );
  }
  if (expectedStep === null && msBetween(state.since, now) < Math.min(promoteGuardMs, bakeMs / 3)) {
    return refuse(
      "deployment.too_soon",
      `${state.plan.id} came to step ${state.step} a moment ago.`,
      "Name the step you mean with expected_step.",
    );
  }
  if (state.latest?.verdict === "FAIL") return refuse("deployment.gate_failed", state.latest.sentence);
  return advance({ ...state, promotedBy: by }, now);
}
