import { step } from "@slipway/kernel";
import type { Answer } from "../answers.ts";
import { approvedIn } from "../approved.ts";
import type { Command } from "../command.ts";
import type { In } from "../deployment.ts";
import { driftSentence, isSameDrift } from "../drift.ts";
import type { Input } from "../input.ts";
import { type Decision, epochOf, hold, restore, stay, withRegion } from "../moves.ts";
import { takeBack } from "./taking-back.ts";

type Looked = In<
  "preparing" | "awaiting_approval" | "raising" | "baking" | "held" | "finishing" | "watching" | "restoring"
>;
type Seen = Extract<Input, { type: "DriftSeen" }>;

/**
 * Somebody changed a region by hand. More than approved is repaired; less, or another route, is a halt; a gate that is shut or gone is a FAIL.
 * At 100% there is no step to halt: it is shown. Each finding is told once.
 */
export function onDrift(state: Looked, input: Seen): Answer {
  const { region, drift } = input;
  const approved = approvedIn(state, region);
  if (approved === null || input.epoch !== approved.epoch) return stay(state);
  if (isSameDrift(state.regions[region]?.drift, drift)) return stay(state);
  // What was raised or lowered by our own write in the meantime is none.
  if (drift.kind === "raised" && drift.percent <= approved.most) return stay(state);
  if (drift.kind === "lowered" && drift.percent >= approved.least) return stay(state);
  const weight = drift.kind === "lowered" ? { weightPercent: drift.percent } : {};
  const marked = withRegion(state, region, { ...weight, drift, reason: driftSentence(drift, approved.most) });
  const answer = drift.kind === "raised" ? repair(marked, input) : answerTo(marked, input);
  const tell: Command = {
    type: "TellDrift",
    region,
    what: `${region}: ${driftSentence(drift, approved.most)}`,
    by: drift.by,
  };
  return { ...answer, commands: [...answer.commands, tell] };
}

function repair(state: Looked, { region }: Seen): Decision {
  const epoch = epochOf(state, region);
  if (state.phase === "restoring") return step(state, [{ type: "LowerWeight", region, epoch }]);
  return step(state, [{ type: "RepairWeight", region, epoch }]);
}

function answerTo(state: Looked, input: Seen): Decision {
  const { drift, region, now } = input;
  if (drift.kind === "shut" || drift.kind === "unfenced") return asFail(state, input);
  const reason = `${region}: ${drift.what}`;
  if (drift.kind === "paused") {
    if (state.phase !== "raising" && state.phase !== "baking") return step(state);
    const unblockedBy = "slipway.dev/paused is removed";
    return hold(state, { why: reason, by: drift.by, unblockedBy, until: "unpaused", now });
  }
  const unblockedBy = "a person resumes it or rolls it back";
  const { by } = drift;
  // Whoever halted it holds it, by name; the region says for itself what was found there.
  if (state.phase === "held" && state.halted === true) return step(state);
  if (state.phase === "held") return step({ ...state, why: reason, by, unblockedBy, until: undefined });
  if (state.phase !== "raising" && state.phase !== "baking" && state.phase !== "awaiting_approval") return step(state);
  return hold(state, { why: reason, by, unblockedBy, now });
}

/** A fence that cannot be read stops what raises. At 100% nothing is raised any more: only a gate that is shut says that the version is bad. */
function asFail(state: Looked, { region, drift, now }: Seen): Decision {
  const reason = `${region}: ${drift.what}`;
  if (state.phase === "restoring" || (state.phase === "watching" && drift.kind === "unfenced")) return step(state);
  if (state.phase === "preparing") {
    return restore(state, { reason, by: drift.by, outcome: "failed", afterFull: false, now });
  }
  return takeBack(state, reason, drift.by, now);
}

/** The region shows what was decided again. That a raise was repaired stays to be seen. */
export function onDriftGone(state: Looked, input: Extract<Input, { type: "DriftGone" }>): Answer {
  const { region, epoch, percent } = input;
  const before = state.regions[region];
  if (before?.drift == null || state.epochs[region] !== epoch) return stay(state);
  const reason = before.drift.kind === "raised" ? before.reason : null;
  const weight = before.drift.kind === "lowered" ? { weightPercent: percent } : {};
  return step(withRegion(state, region, { ...weight, drift: null, reason }));
}
