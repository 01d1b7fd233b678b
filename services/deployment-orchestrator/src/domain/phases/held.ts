import { type Answer, ignoreFacts } from "../answers.ts";
import type { In } from "../deployment.ts";
import type { Input } from "../input.ts";
import { beginStep, epochOf, stay, withRegion } from "../moves.ts";
import { onExposed } from "./failing.ts";
import { onLeaving } from "./opening.ts";

/**
 * Held where it is: no weight moves up; everything that lowers still works. Resuming begins the step again, with its evidence.
 * A raise that was under way when the halt came may still be served: it is shown, and not repeated.
 */
export function onHeld(state: In<"held">, input: Input): Answer {
  if (input.type === "Resume") return beginStep(state, state.step, input.now);
  if (input.type === "Halt")
    return stay({ ...state, why: input.reason, by: input.by, unblockedBy: "a person resumes it" });
  if (input.type === "WeightServed" && input.epoch === epochOf(state, input.region)) {
    return stay(withRegion(state, input.region, { state: "serving", weightPercent: input.percent }));
  }
  return onExposed(state, input);
}

export function onAwaitingApproval(state: In<"awaiting_approval">, input: Input): Answer {
  if (input.type === "Approve") {
    const approval = { by: input.by, reason: input.reason, at: input.now };
    return beginStep({ ...state, approval }, state.step, input.now);
  }
  const exposed = Object.values(state.regions).some((region) => region.weightPercent > 0);
  if (input.type === "Rollback" || !exposed) return onLeaving(state, input);
  return ignoreFacts(state, input);
}
