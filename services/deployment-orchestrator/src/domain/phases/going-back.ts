import { type RegionName, step } from "@slipway/kernel";
import type { Answer } from "../answers.ts";
import type { Command } from "../command.ts";
import { common, type Deployment, type Granted, type In, type RegionProgress } from "../deployment.ts";
import type { Input } from "../input.ts";
import {
  armWatch,
  beginBake,
  type Decision,
  epochOf,
  lookWhetherWritten,
  perRegion,
  raiseCommand,
  stay,
  withRegion,
} from "../moves.ts";
import { onLost } from "./failing.ts";
import { isWayBack, noteOpened, onOpening, onPreparing, prepare, prepareIn, preparing } from "./opening.ts";
import { onRaising } from "./raising.ts";
import { onUnopenedDue } from "./unwritten.ts";

type GoingBack = In<"opening" | "preparing">;

/**
 * The way back from a verified version, until the last region has its fence and its pods. Unlike a canary, whose regions climb in lock-step, each region goes
 * on as soon as it can, so that one that is away holds up nobody and follows when it answers:
 *
 *   opening ─▶ preparing ─▶ ready ─▶ raising ─▶ serving, and its base Service follows
 *
 * The phase is that of the last of them. Where a region has weight already, or may have, it is for whatever happens what a deployment is that is raised: it has nothing to
 * return to.
 */
export function onGoingBack(state: GoingBack, input: Input): Answer {
  switch (input.type) {
    case "FenceOpened":
      return onOpened(state, input);
    case "WorkloadReady":
      return onReady(state, input);
    case "WatchArmed":
      return input.step === 0 ? raiseReady(state, input.now) : stay(state);
    case "TimeReached":
      return input.purpose === "region" && state.phase === "opening" ? onUnopenedDue(state, input) : stay(state);
    default:
      return hasBegun(state) ? onBegun(state, input) : onNotBegun(state, input);
  }
}

/** Whether the weight of a region may be written while others are not that far. */
export function isRaisedAlone(state: Deployment, region: RegionName): state is GoingBack {
  const under = state.phase === "opening" || state.phase === "preparing";
  return under && isWayBack(state) && state.regions[region]?.state === "raising";
}

/** Goes on after a hold: where it serves its base Service follows, which the hold may have forgotten, and the other regions begin anew, each by itself. */
export function goBackOn(state: In<"held">, now: In<"held">["since"]): Decision {
  const left = state.plan.regions.filter((region) => !isServed(state, region));
  const unopened = left.filter((region) => ["pending", "opening"].includes(state.regions[region]?.state ?? "pending"));
  const opened = state.plan.regions.filter((region) => !unopened.includes(region));
  const begun = left
    .filter((region) => opened.includes(region))
    .reduce<In<"held">>((next, region) => withRegion(next, region, { state: "preparing" }), state);
  const opening: In<"opening"> = { ...common(begun), phase: "opening", epochs: state.epochs, opened, since: now };
  const commands = perRegion(opening, (region, epoch): Command => {
    if (unopened.includes(region)) return { type: "OpenFence", region, epoch };
    if (left.includes(region)) return prepareIn(opening, region);
    return { type: "Follow", region, epoch, version: state.plan.version };
  });
  if (unopened.length === 0) return step(preparing(opening, now), commands);
  return step(opening, [...commands, ...lookWhetherWritten(opening, now)]);
}

/** A way back that was held before all its regions had their weight. */
export function isPartWayBack(state: In<"held">): boolean {
  return isWayBack(state) && state.step === 0 && state.plan.regions.some((region) => !isServed(state, region));
}

function onOpened(state: GoingBack, input: Extract<Input, { type: "FenceOpened" }>): Answer {
  const { region, epoch, now } = input;
  if (state.phase !== "opening" || epoch !== epochOf(state, region) || state.opened.includes(region))
    return stay(state);
  const next = noteOpened(state, input);
  return next.opened.length < next.plan.regions.length ? step(next, [prepareIn(next, region)]) : prepare(next, now);
}

/** The watch is asked for with the first region; those that are ready later need not wait for it. */
function onReady(state: GoingBack, { region, epoch, now }: Extract<Input, { type: "WorkloadReady" }>): Answer {
  if (epoch !== epochOf(state, region) || state.regions[region]?.state !== "preparing") return stay(state);
  const marked = withRegion(state, region, { state: "ready", reason: null });
  const next = marked.phase === "preparing" ? { ...marked, ready: [...marked.ready, region] } : marked;
  return hasBegun(next) ? raiseReady(next, now) : step(next, [armWatch(next, 0)]);
}

function raiseReady(state: GoingBack, now: In<"raising">["since"]): Decision {
  if (state.phase === "preparing" && state.ready.length === state.plan.regions.length) return raiseLast(state, now);
  const ready = state.plan.regions.filter((region) => state.regions[region]?.state === "ready");
  const next = ready.reduce<GoingBack>(
    (all, region) => withRegion(all, region, { state: "raising", rising: wholeOf(state) }),
    state,
  );
  return step(next, raises(next, ready, now));
}

/** Every region is that far: what is left is as with any deployment. A raise that was refused, or that nobody performed, is asked for again. */
function raiseLast(state: In<"preparing">, now: In<"raising">["since"]): Decision {
  const begun = asRaising(state, now);
  const left = begun.plan.regions.filter((region) => !begun.done.includes(region));
  const next = left.reduce((all, region) => withRegion(all, region, { rising: wholeOf(state) }), begun);
  return left.length === 0 ? beginBake(next, now) : step(next, raises(state, left, now));
}

function raises(state: GoingBack, regions: readonly RegionName[], now: In<"raising">["since"]): readonly Command[] {
  return regions.map((region) => raiseCommand(asRaising(state, now), region, now, null));
}

function onBegun(state: GoingBack, input: Input): Answer {
  const raising = asRaising(state, input.now);
  if (input.type === "FenceStale") {
    const isCurrent = input.epoch === epochOf(state, input.region);
    return isCurrent ? onLost(raising, `${input.found} holds ${input.region}`, input.now) : stay(state);
  }
  const answer = onRaising(raising, input);
  if (answer.kind !== "step" || answer.state.phase !== "raising") return answer;
  return { ...answer, state: answer.state === raising ? state : { ...state, ...common(answer.state) } };
}

function onNotBegun(state: GoingBack, input: Input): Answer {
  return state.phase === "opening" ? onOpening(state, input) : onPreparing(state, input);
}

/** `since` is now: how long a region's weight has been asked for is not known while others are not that far. */
function asRaising(state: GoingBack, now: In<"raising">["since"]): In<"raising"> {
  const done = state.plan.regions.filter((region) => isServed(state, region));
  const { epochs } = state;
  return { ...common(state), phase: "raising", epochs, step: 0, stage: "weighting", done, since: now };
}

function hasBegun(state: GoingBack): boolean {
  return Object.values(state.regions).some(isBegun);
}

function isBegun({ state, weightPercent, rising = 0 }: RegionProgress): boolean {
  return state === "raising" || state === "serving" || weightPercent > 0 || rising > 0;
}

function isServed({ plan, regions }: Deployment & Granted, region: RegionName): boolean {
  const { state, weightPercent = 0 } = regions[region] ?? {};
  return state === "serving" && weightPercent >= wholeOf({ plan });
}

function wholeOf({ plan }: Pick<Deployment, "plan">): number {
  return plan.steps[0]?.weightPercent ?? 100;
}
