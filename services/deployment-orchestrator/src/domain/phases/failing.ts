import type { Judgement } from "@slipway/contracts";
import { type Instant, refuse } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "../answers.ts";
import type { In } from "../deployment.ts";
import { gateOf } from "../gate-of.ts";
import type { Input } from "../input.ts";
import { type Decision, end, gateEvent, hold, holderOf, restore, stay } from "../moves.ts";

type Exposed = In<"awaiting_approval" | "raising" | "baking" | "held" | "finishing">;

/** What takes back a deployment that has been given weight; the same in every phase that has some. */
export function onExposed(state: Exposed, input: Input): Answer {
  switch (input.type) {
    case "Rollback":
      return byPerson(state, input);
    case "WatchFailed":
    case "Judged":
    case "WatchSeen":
      return isFail(state, input) ? onFail(state, input.judgement, input.now) : stay(state);
    case "LockLost":
      return onLost(state, `${input.to} took its targets`, input.now);
    default:
      return ignoreFacts(state, input);
  }
}

type Found = { readonly judgement: Judgement | null; readonly epochs: Readonly<Record<string, number>> };

/** True for a FAIL that speaks of the grant which the deployment holds now. */
export function isFail<F extends Found>(
  state: Exposed | In<"watching" | "opening" | "preparing">,
  fact: F,
): fact is F & { judgement: Judgement } {
  return fact.judgement?.verdict === "FAIL" && sameEpochs(state, fact.epochs);
}

/** FAIL: what the judge knew is kept with the deployment, and the version is taken back. */
export function onFail(state: Exposed | In<"watching">, judgement: Judgement, now: Instant): Decision {
  const gate = gateOf(judgement);
  const back = takeBack({ ...state, gates: [...state.gates, gate] }, judgement.sentence, "rollback-controller", now);
  return { ...back, commands: [gateEvent(state, gate), ...back.commands] };
}

/**
 * A newer grant has the targets. What may be lowered under the old one is lowered; a version that has nothing to return to is left to the
 * newer grant as it stands, since lowering it would bring back what it leads away from.
 */
export function onLost(state: Exposed, reason: string, now: Instant): Decision {
  const outcome = outcomeOf(state);
  if (!nothingToReturnTo(state) || outcome === "failed") {
    return restore(state, { reason, by: "slipway", outcome, afterFull: false, now });
  }
  return end(state, { outcome: "superseded", reason, now, hadWeight: true, release: [holderOf(state)] });
}

/** True when a fact speaks of the grant that the deployment holds now. */
export function sameEpochs(
  state: Exposed | In<"watching" | "opening" | "preparing">,
  epochs: Readonly<Record<string, number>>,
): boolean {
  return state.plan.regions.every((region) => epochs[region] === state.epochs[region]);
}

/**
 * A person's rollback. A version that serves and has nothing to return to stays where it is; once it is held, it can be given up, so that
 * its lock is free for another version.
 */
export function byPerson(state: Exposed | In<"watching">, input: Extract<Input, { type: "Rollback" }>): Answer {
  if (!nothingToReturnTo(state) || !hadWeight(state)) return takeBack(state, input.reason, input.by, input.now);
  if (state.phase === "held") {
    const reason = `given up by ${input.by}: ${input.reason}; its traffic stays until another version is deployed`;
    return end(state, { outcome: "failed", reason, now: input.now, hadWeight: true, release: [holderOf(state)] });
  }
  return refuse(
    "deployment.no_rollback_target",
    `${state.plan.id} has no version to return to.`,
    state.phase === "watching" ? "Deploy another version." : "Halt it and roll it back then; deploy another version.",
  );
}

/**
 * Takes the version back. In `finishing` the base Service may have moved already, so that the way back needs the longer road.
 * What serves and has nothing to return to is held, and the watch's event pages.
 */
export function takeBack(state: Exposed | In<"watching">, reason: string, by: string, now: Instant): Decision {
  if (nothingToReturnTo(state) && hadWeight(state)) return holdInPlace(state, reason, by, now);
  const afterFull = state.phase === "watching" || state.phase === "finishing";
  return restore(state, { reason, by, outcome: outcomeOf(state), afterFull, now });
}

/** A way back that goes bad must not return to the version it leads away from. */
function nothingToReturnTo(state: Exposed | In<"watching">): boolean {
  return state.plan.initial || state.plan.rollsBack !== null;
}

function holdInPlace(state: Exposed | In<"watching">, reason: string, by: string, now: Instant): Decision {
  if (state.phase !== "raising" && state.phase !== "baking") return stay(state);
  return hold(state, { why: reason, by, unblockedBy: "a person rolls it back and deploys another version", now });
}

function outcomeOf(state: Exposed | In<"watching">): "rolled_back" | "failed" {
  return hadWeight(state) ? "rolled_back" : "failed";
}

/** A weight that was being written when something went wrong counts as given. */
export function hadWeight(state: Exposed | In<"watching">): boolean {
  const writing = state.phase === "raising" && state.stage === "weighting";
  return writing || Object.values(state.regions).some((region) => region.weightPercent > 0);
}
