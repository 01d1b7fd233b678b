import { addMs, type Instant, msBetween, step, unreachable } from "@slipway/kernel";
import type { Answer } from "../answers.ts";
import type { Command } from "../command.ts";
import { type In, setRegions } from "../deployment.ts";
import { mayExpose } from "../exposure.ts";
import type { Input, RaiseRefusal } from "../input.ts";
import {
  armWatch,
  awaitApproval,
  beginBake,
  epochOf,
  haltOf,
  hold,
  raiseAll,
  raiseCommand,
  stay,
  withRegion,
} from "../moves.ts";
import { weightAt } from "../plan.ts";
import { onExposed, onLost } from "./failing.ts";
import { withLines } from "./opening.ts";
import { takeBack } from "./taking-back.ts";
import { backAfterAll } from "./unwritten.ts";

const conflictPauseMs = 200;
const notReadyPauseMs = 1_000;
const notReadyDeadlineMs = 120_000;

export function onRaising(state: In<"raising">, input: Input): Answer {
  switch (input.type) {
    case "WorkloadReady":
      return onReady(state, input);
    case "WorkloadFailed":
      if (!isCurrent(state, input)) return stay(state);
      return takeBack(withLines(state, input), `${input.region}: ${input.reason}`, "slipway", input.now);
    case "WatchArmed": {
      if (state.stage !== "arming" || input.step !== state.step) return stay(state);
      return beginWeighting(state, input.now);
    }
    case "WeightServed":
      return onServed(state, input);
    case "RaiseRefused":
      return isCurrent(state, input) && state.stage === "weighting" ? onRefused(state, input) : stay(state);
    case "Halt":
      return hold(state, { ...haltOf(input), now: input.now });
    default:
      return onExposed(state, input);
  }
}

/** Looked at again here: a proof may have grown too old while the workload grew. */
function beginWeighting(state: In<"raising">, now: Instant): Answer {
  const rising = weightAt(state.plan, state.step);
  const exposure = mayExpose(state, rising, now);
  if (!exposure.allowed) return awaitApproval(state, state.step, exposure.why, now);
  const next: In<"raising"> = {
    ...{ ...state, stage: "weighting", done: [], since: now },
    regions: setRegions(state, { rising }),
  };
  return step(next, raiseAll(next, now));
}

function onReady(state: In<"raising">, input: Extract<Input, { type: "WorkloadReady" }>): Answer {
  if (state.stage !== "scaling" || !isCurrent(state, input) || state.done.includes(input.region)) return stay(state);
  const done = [...state.done, input.region];
  if (done.length < state.plan.regions.length) return step({ ...state, done });
  return step({ ...state, done: [], stage: "arming" }, [armWatch(state, state.step)]);
}

function onServed(state: In<"raising">, input: Extract<Input, { type: "WeightServed" }>): Answer {
  if (state.stage !== "weighting" || !isCurrent(state, input) || state.done.includes(input.region)) return stay(state);
  const done = [...state.done, input.region];
  const back = backAfterAll(state, input.region);
  const next = withRegion({ ...state, done }, input.region, {
    ...{ state: "serving", weightPercent: input.percent, rising: undefined, reason: null },
    ...back.change,
  });
  const answer =
    done.length === state.plan.regions.length ? beginBake(next, input.now) : step(next, followAlone(next, input));
  return { ...answer, commands: [...answer.commands, ...back.commands] };
}

/** On the way back a region is done with when its base Service leads back, too: the others may be away for long, and what comes after takes that for what serves. */
function followAlone(
  state: In<"raising">,
  { region, percent }: Extract<Input, { type: "WeightServed" }>,
): readonly Command[] {
  if (state.plan.rollsBack === null || percent < 100) return [];
  return [{ type: "Follow", region, epoch: epochOf(state, region), version: state.plan.version }];
}

/** A raise that did not take hold is never simply repeated: what was found decides. */
function onRefused(state: In<"raising">, input: Extract<Input, { type: "RaiseRefused" }>): Answer {
  const { why, region, now } = input;
  const marked = withRegion(state, region, {
    ...{ state: "raising", rising: undefined, reason: reasons[why] },
    ...found(input),
  });
  const reason = `${region}: ${reasons[why]}`;
  switch (why) {
    case "conflict":
      return raiseAgain(marked, region, now, conflictPauseMs);
    case "not_ready":
      return msBetween(state.since, now) > notReadyDeadlineMs
        ? holdFor(marked, reason, "slipway", "its pods become ready and a person resumes it", now)
        : raiseAgain(marked, region, now, notReadyPauseMs);
    case "paused":
      return hold(marked, {
        ...{ why: reason, by: "somebody with kubectl", unblockedBy: "slipway.dev/paused is removed", now },
        until: "unpaused",
      });
    case "drifted":
      return holdFor(marked, reason, "somebody with kubectl", "a person resumes it or rolls it back", now);
    case "shut":
      return takeBack(marked, reason, "rollback-controller", now);
    case "stale":
      return onLost(marked, reason, now);
    case "unproven":
      return holdFor(marked, reason, "slipway", "a named approval, and a person resumes it", now);
    default:
      return unreachable(why);
  }
}

/** What the refusal tells of the region: the weight that somebody left there, or that it is paused. */
function found({ why, percent }: Extract<Input, { type: "RaiseRefused" }>) {
  const weight = why === "drifted" && percent !== undefined ? { weightPercent: percent } : {};
  if (why !== "paused") return weight;
  return { drift: { kind: "paused", what: reasons.paused, by: "", percent: percent ?? 0, seen: "" } as const };
}

function raiseAgain(state: In<"raising">, region: string, now: Instant, pauseMs: number): Answer {
  const exposure = mayExpose(state, weightAt(state.plan, state.step), now);
  if (exposure.allowed) {
    const again = raiseCommand(state, region, now, addMs(now, pauseMs));
    return step(withRegion(state, region, { rising: again.percent }), [again]);
  }
  return holdFor(state, exposure.why, "slipway", "a named approval, and a person resumes it", now);
}

function holdFor(state: In<"raising">, why: string, by: string, unblockedBy: string, now: Instant): Answer {
  return hold(state, { why, by, unblockedBy, now });
}

const reasons: Record<RaiseRefusal, string> = {
  conflict: "somebody else wrote the VirtualService",
  not_ready: "the version has no ready endpoint",
  paused: "the VirtualService carries slipway.dev/paused",
  drifted: "somebody lowered the weight by hand",
  shut: "the fence is shut",
  stale: "a newer grant holds the fence",
  unproven: "the version is not proven for this weight",
};

function isCurrent(state: In<"raising">, fact: { region: string; epoch: number; step: number }): boolean {
  return fact.step === state.step && fact.epoch === epochOf(state, fact.region);
}
