import type { Judgement } from "@slipway/contracts";
import { addMs, type Instant, msBetween, refuse, step } from "@slipway/kernel";
import type { Answer } from "../answers.ts";
import type { Command } from "../command.ts";
import type { Approval, Gate, In } from "../deployment.ts";
import { gatePasses } from "../exposure.ts";
import { gateOf } from "../gate-of.ts";
import type { Input } from "../input.ts";
import { armBake, beginFinish, beginStep, checkWatch, gateEvent, haltOf, hold, recordGate, stay } from "../moves.ts";
import { weightAt } from "../plan.ts";
import { approvedBy } from "../said-by.ts";
import { holdForHarm, isFail, isHarm, onExposed, onFail, sameEpochs } from "./failing.ts";
import { takeBack } from "./taking-back.ts";
import { onLooked, onSilent } from "./watched.ts";

/** A promote that arrives just after a step change was meant for the step before it. */
const promoteGuardMs = 10_000;

export function onBaking(state: In<"baking">, input: Input): Answer {
  switch (input.type) {
    case "Judged":
      return onJudged(state, input, input.judgement);
    case "TimeReached":
      return onTime(state, input);
    case "WatchSeen":
      return onSeen(state, input);
    case "WatchSilent":
      return onSilent(state, input);
    case "Promote":
      return onPromote(state, input);
    case "Approve":
      return onApprove(state, input);
    case "Halt":
      return hold(state, { ...haltOf(input), now: input.now });
    default:
      return onExposed(state, input);
  }
}

/**
 * A FAIL of this grant counts whatever step it speaks of; a PASS only for the step that it was gathered at, from the moment on at which every
 * region served its weight.
 */
function onJudged(
  state: In<"baking">,
  fact: { readonly epochs: Readonly<Record<string, number>>; readonly now: Instant },
  judgement: Judgement,
): Answer {
  if (isFail(state, { judgement, epochs: fact.epochs })) return onFail(state, judgement, fact.now);
  if (isHarm(state, { judgement, epochs: fact.epochs })) return holdForHarm(state, judgement, fact.now);
  if (!sameEpochs(state, fact.epochs) || judgement.step !== state.step) return stay(state);
  if (judgement.window_from !== state.since) return stay(state);
  return advance({ ...state, latest: gateOf(judgement) }, fact.now);
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
 * A canary step needs a PASS recomputed from its counts, or a named approval of this very step. Where there is nothing to compare with (the
 * confirmed first deployment, the way back to a verified version) and outside production the watch must not have failed. The step at 100% of a
 * proven version has no canary to hold.
 */
function gateAllows(state: In<"baking">, gate: Gate | null): boolean {
  if (!state.plan.production || state.plan.initial || state.plan.rollsBack !== null) return true;
  const last = state.step === state.plan.steps.length - 1 && weightAt(state.plan, state.step) === 100;
  return last || approvalOfStep(state) !== null || (gate !== null && gatePasses(gate, state.plan.regions));
}

/** A person's name in place of the evidence, for this step alone: what a service with too few requests for a verdict has. */
export function approvalOfStep({ approval, since }: In<"baking">): Approval | null {
  return approval !== null && approval.at >= since ? approval : null;
}

/** The regular look at the watch itself: it also brings a judgement whose event was late. */
function onSeen(state: In<"baking">, input: Extract<Input, { type: "WatchSeen" }>): Answer {
  const { judgement } = input;
  const seen = input.step === state.step ? onLooked(state, input.now) : state;
  const answer = judgement === null ? stay(seen) : onJudged(seen, input, judgement);
  const goesOn = input.step === state.step && answer.kind === "step" && answer.state.phase === "baking";
  return goesOn
    ? { ...answer, commands: [...answer.commands, ...askedAgain(state, input), checkWatch(state, input.now)] }
    : answer;
}

/** A watch that gathers for another window than this step's would never bring the PASS that is waited for: it is asked again. */
function askedAgain(state: In<"baking">, seen: Extract<Input, { type: "WatchSeen" }>): readonly Command[] {
  if (seen.judgement === null || !sameEpochs(state, seen.epochs)) return [];
  const { step: watched, window_from } = seen.judgement;
  return watched === state.step && window_from === state.since ? [] : [armBake(state)];
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
    const { plan, step: at } = state;
    return refuse(
      "deployment.too_soon",
      `${plan.id} came to its step at ${weightAt(plan, at)}% a moment ago, and this may be meant for the one before.`,
      `Name the step you mean: expected_step ${at} (slipway promote ${plan.id} --expected-step ${at}).`,
    );
  }
  if (state.latest?.verdict === "FAIL") return refuse("deployment.gate_failed", state.latest.sentence);
  return advance({ ...state, promotedBy: by }, now);
}

function onApprove(state: In<"baking">, input: Extract<Input, { type: "Approve" }>): Answer {
  const { by, reason, now } = input;
  if (state.latest?.verdict === "FAIL") return refuse("deployment.gate_failed", state.latest.sentence);
  return approvedBy(state, input, advance({ ...state, approval: { by, reason, at: now } }, now));
}
