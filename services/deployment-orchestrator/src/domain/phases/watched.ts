import { type Instant, msBetween, step } from "@slipway/kernel";
import type { Answer } from "../answers.ts";
import { type In, setRegions } from "../deployment.ts";
import type { Input } from "../input.ts";
import { checkWatch, type Decision, stay } from "../moves.ts";
import { hadWeight, takeBack } from "./taking-back.ts";

/** Without a look for so long, what is not yet proven is taken out of traffic. */
const silenceDrainMs = 15 * 60_000;

const noLook = "no look since ";

type Watched = In<"baking" | "held">;

/** The chain of looks at the watch goes on: one timer leads to the next, for as long as the step is baked or held. */
export function checkAgain(state: Watched, now: Instant): Decision {
  return step(state, [checkWatch(state, now)]);
}

/** Nobody looks. One failed call is no silence: what counts is when the watch was last known to look. */
export function onSilent(state: Watched, input: Extract<Input, { type: "WatchSilent" }>): Answer {
  if (input.step !== state.step) return stay(state);
  const since = input.since ?? state.watchedAt;
  const unwatched = msBetween(since, input.now) >= silenceDrainMs;
  if (unwatched && hadWeight(state) && !state.plan.initial && state.plan.rollsBack === null) {
    return takeBack(state, "nobody has watched this canary for 15 minutes", "slipway", input.now);
  }
  const regions = setRegions(state, { reason: `${noLook}${since}` });
  return checkAgain({ ...state, regions }, input.now);
}

/** Somebody looks: when, and that nobody did is said no longer. */
export function onLooked<S extends Watched>(state: S, now: Instant): S {
  const silent = Object.values(state.regions).some(({ reason }) => reason?.startsWith(noLook));
  return { ...state, watchedAt: now, ...(silent ? { regions: setRegions(state, { reason: null }) } : {}) };
}
