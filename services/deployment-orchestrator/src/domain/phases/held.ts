import type { Answer } from "../answers.ts";
import type { In } from "../deployment.ts";
import type { Input } from "../input.ts";
import { beginStep, epochOf, stay, withRegion } from "../moves.ts";
import { hadWeight, isFail, onExposed, onFail } from "./failing.ts";
import { onLeaving } from "./opening.ts";
import { checkAgain, onSilent } from "./watched.ts";

/**
 * Held where it is: no weight moves up; everything that lowers still works, and the watch is still looked at. Resuming begins the step
 * again, with its evidence. A raise that was under way when the halt came may still be served: it is shown, and not repeated.
 */
export function onHeld(state: In<"held">, input: Input): Answer {
  switch (input.type) {
    case "Resume":
      return beginStep(state, state.step, input.now);
    case "Halt":
      return stay({ ...state, why: input.reason, by: input.by, unblockedBy: "a person resumes it" });
    case "Approve":
      return stay({ ...state, approval: { by: input.by, reason: input.reason, at: input.now } });
    case "WeightServed": {
      if (input.epoch !== epochOf(state, input.region)) return stay(state);
      return stay(withRegion(state, input.region, { state: "serving", weightPercent: input.percent }));
    }
    case "WatchSeen": {
      if (isFail(state, input)) return onFail(state, input.judgement, input.now);
      if (input.step !== state.step) return stay(state);
      return checkAgain({ ...state, watchedAt: input.now }, input.now);
    }
    case "WatchSilent":
      return onSilent(state, input);
    default:
      return onExposed(state, input);
  }
}

export function onAwaitingApproval(state: In<"awaiting_approval">, input: Input): Answer {
  if (input.type === "Approve") {
    const approval = { by: input.by, reason: input.reason, at: input.now };
    return beginStep({ ...state, approval }, state.step, input.now);
  }
  return hadWeight(state) ? onExposed(state, input) : onLeaving(state, input);
}
