import type { Judgement } from "@slipway/contracts";
import { type Instant, refuse } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "../answers.ts";
import type { In } from "../deployment.ts";
import { gateOf } from "../gate-of.ts";
import type { Input } from "../input.ts";
import { type Decision, gateEvent, hold, restore, stay } from "../moves.ts";

type Exposed = In<"raising" | "baking" | "held" | "finishing">;

/** What takes back a deployment that has been given weight; the same in every phase that has some. */
export function onExposed(state: Exposed, input: Input): Answer {
  switch (input.type) {
    case "Rollback":
      return byPerson(state, input);
    case "WatchFailed":
    case "Judged":
      return input.judgement.verdict === "FAIL" && sameEpochs(state, input.epochs)
        ? onFail(state, input.judgement, input.now)
        : stay(state);
    case "LockLost":
      return restore(state, {
        reason: `${input.to} took its targets`,
        by: "slipway",
        outcome: outcomeOf(state),
        afterFull: false,
        now: input.now,
      });
    default:
      return ignoreFacts(state, input);
  }
}

/** FAIL: what the judge knew is kept with the deployment, and the version is taken back. */
export function onFail(state: Exposed | In<"watching">, judgement: Judgement, now: Instant): Decision {
  const gate = gateOf(judgement);
  const back = takeBack({ ...state, gates: [...state.gates, gate] }, judgement.sentence, "rollback-controller", now);
  return { ...back, commands: [gateEvent(state, gate), ...back.commands] };
}

/** True when a fact speaks of the grant that the deployment holds now. */
export function sameEpochs(state: Exposed | In<"watching">, epochs: Readonly<Record<string, number>>): boolean {
  return state.plan.regions.every((region) => epochs[region] === state.epochs[region]);
}

/** A person's rollback. The first deployment has nothing to return to once it serves. */
export function byPerson(state: Exposed | In<"watching">, input: Extract<Input, { type: "Rollback" }>): Answer {
  if (nothingToReturnTo(state) && hadWeight(state)) {
    const detail = `${state.plan.id} has no version to return to.`;
    return refuse("deployment.no_rollback_target", detail, "Deploy another version.");
  }
  return takeBack(state, input.reason, input.by, input.now);
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
  return hold(state, reason, by, "a person mends the service and resumes it, or deploys another version", now);
}

function outcomeOf(state: Exposed | In<"watching">): "rolled_back" | "failed" {
  return hadWeight(state) ? "rolled_back" : "failed";
}

/** A weight that was being written when something went wrong counts as given. */
function hadWeight(state: Exposed | In<"watching">): boolean {
  const writing = state.phase === "raising" && state.stage === "weighting";
  return writing || Object.values(state.regions).some((region) => region.weightPercent > 0);
}
