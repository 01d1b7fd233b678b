import type { Judgement } from "@slipway/contracts";
import { holdsRamp } from "@slipway/judge";
import { type Instant, refuse } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "../answers.ts";
import type { Command } from "../command.ts";
import type { In } from "../deployment.ts";
import { gateOf } from "../gate-of.ts";
import type { Input } from "../input.ts";
import { type Decision, end, foundBad, gateEvent, hold, holderOf, publish, restore, stay } from "../moves.ts";
import { onDrift, onDriftGone } from "./drifting.ts";
import { type Exposed, hadWeight, nothingToReturnTo, outcomeOf, takeBack } from "./taking-back.ts";

/** What takes back a deployment that has been given weight; the same in every phase that has some. */
export function onExposed(state: Exposed, input: Input): Answer {
  switch (input.type) {
    case "Rollback":
      return byPerson(state, input);
    case "WatchFailed":
    case "Judged":
    case "WatchSeen":
      if (isFail(state, input)) return onFail(state, input.judgement, input.now);
      return state.phase === "raising" && isHarm(state, input)
        ? holdForHarm(state, input.judgement, input.now)
        : stay(state);
    case "LockLost":
      return onLost(state, `${input.to} took its targets`, input.now);
    case "DriftSeen":
      return onDrift(state, input);
    case "DriftGone":
      return onDriftGone(state, input);
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

/** True for evidence of harm, short of FAIL, that speaks of this grant. There is none where nothing is compared with. */
export function isHarm<F extends Found>(state: Exposed, fact: F): fact is F & { judgement: Judgement } {
  return !nothingToReturnTo(state) && sameEpochs(state, fact.epochs) && holdsRamp(fact.judgement?.evidence);
}

/** The ramp stops where it is. Nothing is lost if it was chance: it goes on by itself when the evidence has gone. */
export function holdForHarm(state: In<"raising" | "baking">, judgement: Judgement, now: Instant): Decision {
  const evidence = Math.round(judgement.evidence ?? 0);
  return hold(state, {
    why: `evidence of harm (e-value ${evidence}): ${judgement.sentence}`,
    by: "rollback-controller",
    unblockedBy: "the e-value falls below 100, or a person rolls it back",
    until: "evidence",
    now,
  });
}

/** FAIL: what the judge knew is kept with the deployment, and the version is taken back; where it has nothing to return to it is told as bad. */
export function onFail(state: Exposed | In<"watching">, judgement: Judgement, now: Instant): Decision {
  const gate = gateOf(judgement);
  const by = "rollback-controller";
  const back = takeBack({ ...state, gates: [...state.gates, gate] }, judgement.sentence, by, now);
  return {
    ...back,
    commands: [gateEvent(state, gate), ...tellBad(state, { reason: judgement.sentence, by }), ...back.commands],
  };
}

/** Of what stays where it is: nothing else says that the version is bad. Told with its first FAIL. */
function tellBad(
  state: Exposed | In<"watching">,
  why: { readonly reason: string; readonly by: string },
): readonly Command[] {
  const stays = nothingToReturnTo(state) && hadWeight(state);
  if (!stays || state.gates.some(({ verdict }) => verdict === "FAIL")) return [];
  const { initial, version, environment, rollsBack } = state.plan;
  const noWayBack = initial
    ? `${version} is the first version in ${environment}.`
    : `It leads back from ${rollsBack}, to which nothing returns.`;
  return [publish(foundBad(state, why, { noWayBack }))];
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
