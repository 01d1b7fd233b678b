import { holdsRamp } from "@slipway/judge";
import type { Answer } from "../answers.ts";
import { type In, setRegions } from "../deployment.ts";
import type { Input } from "../input.ts";
import { beginStep, epochOf, haltOf, stay, withRegion } from "../moves.ts";
import { approvedBy, resumedBy } from "../said-by.ts";
import { isFail, onExposed, onFail, sameEpochs } from "./failing.ts";
import { goBackOn, isPartWayBack } from "./going-back.ts";
import { onLeaving } from "./opening.ts";
import { hadWeight } from "./taking-back.ts";
import { checkAgain, onLooked, onSilent } from "./watched.ts";

/**
 * Held where it is: no weight moves up; everything that lowers still works, and the watch is still looked at. Resuming begins the step
 * again, with its evidence. A raise that was under way when the halt came may still be served: it is shown, and not repeated.
 */
export function onHeld(state: In<"held">, input: Input): Answer {
  switch (input.type) {
    case "Resume":
      return resumedBy(state, input, goOn(state, input.now));
    case "Halt":
      return stay({ ...state, ...haltOf(input), until: undefined });
    case "Approve":
      return approvedBy(
        state,
        input,
        stay({ ...state, approval: { by: input.by, reason: input.reason, at: input.now } }),
      );
    case "WeightServed": {
      if (input.epoch !== epochOf(state, input.region)) return stay(state);
      return stay(
        withRegion(state, input.region, { state: "serving", weightPercent: input.percent, rising: undefined }),
      );
    }
    case "WatchSeen": {
      if (isFail(state, input)) return onFail(state, input.judgement, input.now);
      if (hasCleared(state, input)) return goOn(state, input.now);
      if (input.step !== state.step) return stay(state);
      return checkAgain(onLooked(state, input.now), input.now);
    }
    case "Judged":
      return hasCleared(state, input) ? goOn(state, input.now) : onExposed(state, input);
    case "DriftGone": {
      const answer = onExposed(state, input);
      const isClear = answer.kind === "step" && answer.state.phase === "held" && isUnpaused(answer.state);
      return isClear ? goOn(answer.state, input.now) : answer;
    }
    case "WatchSilent":
      return onSilent(state, input);
    default:
      return onExposed(state, input);
  }
}

/** The step begins again, with its evidence; what somebody lowered by hand is known from here on, and may be raised over. */
function goOn(state: In<"held">, now: In<"held">["since"]): Answer {
  const known: In<"held"> = { ...state, regions: setRegions(state, { drift: null, reason: null }) };
  return isPartWayBack(known) ? goBackOn(known, now) : beginStep(known, state.step, now);
}

function hasCleared(state: In<"held">, fact: Extract<Input, { type: "WatchSeen" | "Judged" }>): boolean {
  const { judgement, epochs } = fact;
  if (state.until !== "evidence" || judgement === null || judgement.verdict === "FAIL") return false;
  return sameEpochs(state, epochs) && judgement.evidence !== undefined && !holdsRamp(judgement.evidence);
}

function isUnpaused(state: In<"held">): boolean {
  return state.until === "unpaused" && !Object.values(state.regions).some((region) => region.drift?.kind === "paused");
}

export function onAwaitingApproval(state: In<"awaiting_approval">, input: Input): Answer {
  if (input.type === "Approve") {
    const approval = { by: input.by, reason: input.reason, at: input.now };
    return approvedBy(state, input, beginStep({ ...state, approval }, state.step, input.now));
  }
  const byHand = input.type === "DriftSeen" || input.type === "DriftGone";
  return hadWeight(state) || byHand ? onExposed(state, input) : onLeaving(state, input);
}
