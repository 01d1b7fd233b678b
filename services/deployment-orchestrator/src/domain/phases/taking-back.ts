import type { Instant } from "@slipway/kernel";
import type { In } from "../deployment.ts";
import { type Decision, hold, restore, stay } from "../moves.ts";

/** Phases in which the version has been given weight, or may have been. */
export type Exposed = In<"awaiting_approval" | "raising" | "baking" | "held" | "finishing">;

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
export function nothingToReturnTo(state: Exposed | In<"watching">): boolean {
  return state.plan.initial || state.plan.rollsBack !== null;
}

function holdInPlace(state: Exposed | In<"watching">, reason: string, by: string, now: Instant): Decision {
  if (state.phase !== "raising" && state.phase !== "baking") return stay(state);
  return hold(state, { why: reason, by, unblockedBy: "a person rolls it back and deploys another version", now });
}

export function outcomeOf(state: Exposed | In<"watching">): "rolled_back" | "failed" {
  return hadWeight(state) ? "rolled_back" : "failed";
}

/** A weight that was being written when something went wrong counts as given. */
export function hadWeight(state: Exposed | In<"watching">): boolean {
  const writing = state.phase === "raising" && state.stage === "weighting";
  return (
    writing ||
    Object.values(state.regions).some(
      ({ weightPercent, rising = 0, drift }) => weightPercent > 0 || rising > 0 || drift?.kind === "lowered",
    )
  );
}
