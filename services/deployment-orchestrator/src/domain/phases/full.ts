import { addMs, step } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "../answers.ts";
import type { Command } from "../command.ts";
import { common, type Gate, type In, setRegion } from "../deployment.ts";
import { gateOf } from "../gate-of.ts";
import type { Input } from "../input.ts";
import { about, epochOf, gateEvent, holderOf, perRegion, publish, stay } from "../moves.ts";
import { onDrift, onDriftGone } from "./drifting.ts";
import { byPerson, onExposed, onFail, sameEpochs } from "./failing.ts";

/** 100% everywhere: the base Service follows in each region, and it settles before the lock goes back. */
export function onFinishing(state: In<"finishing">, input: Input): Answer {
  switch (input.type) {
    case "Followed": {
      if (input.epoch !== epochOf(state, input.region) || state.followed.includes(input.region)) return stay(state);
      const regions = setRegion(state.regions, input.region, { state: "serving", weightPercent: 100 });
      return settle({ ...state, regions, followed: [...state.followed, input.region] }, input.now);
    }
    case "TimeReached":
      return input.purpose === "settle" ? settle({ ...state, settled: true }, input.now) : stay(state);
    default:
      return onExposed(state, input);
  }
}

function settle(state: In<"finishing">, now: In<"watching">["since"]): Answer {
  if (!state.settled || state.followed.length < state.plan.regions.length) return step(state);
  const next: In<"watching"> = {
    ...common(state),
    phase: "watching",
    epochs: state.epochs,
    since: now,
    replacedBy: null,
  };
  const live = armLive(next, "live");
  return step(next, [
    live,
    { type: "ReleaseLock", holder: holderOf(state) },
    { type: "TellReplaced", regions: state.plan.regions },
    { type: "WakeAt", at: addMs(now, state.plan.verifyAfterMs), purpose: "verify" },
    publish({ type: "deployment.succeeded", data: { ...about(state), created_at: state.plan.createdAt } }),
  ]);
}

const dayMs = 24 * 3_600_000;

/** The watch from 100% on. Once the version is verified the one before it is gone: what is found then is told, and a way back is deployed. */
function armLive(state: In<"watching">, mode: "live" | "verified"): Command {
  const { plan, epochs, since } = state;
  const until = addMs(since, Math.max(plan.watchMs ?? dayMs, plan.verifyAfterMs));
  return { type: "ArmWatch", step: plan.steps.length - 1, weightPercent: 100, mode, epochs, until };
}

/** At 100%, watched. It counts as verified when it stood long enough without FAIL; a newer deployment ends the watch. */
export function onWatching(state: In<"watching">, input: Input): Answer {
  switch (input.type) {
    case "TimeReached":
      return input.purpose === "verify" && mayBeVerified(state) ? verify(state, input.now) : stay(state);
    case "Replaced":
      return isNewer(state, input.epochs) ? step({ ...state, replacedBy: state.replacedBy ?? input.by }) : stay(state);
    case "Rollback":
      return state.replacedBy === null ? byPerson(state, input) : ignoreFacts(state, input);
    case "WatchFailed":
      if (state.replacedBy !== null || !sameEpochs(state, input.epochs)) return stay(state);
      return input.overtaken === true
        ? noteFail(state, gateOf(input.judgement))
        : onFail(state, input.judgement, input.now);
    case "DriftSeen":
      return onDrift(state, input);
    case "DriftGone":
      return onDriftGone(state, input);
    default:
      return ignoreFacts(state, input);
  }
}

/** Another deployment holds the targets: its own watch sees the same traffic. The FAIL is kept, so that this version is never verified. */
function noteFail(state: In<"watching">, gate: Gate): Answer {
  return step({ ...state, gates: [...state.gates, gate] }, [gateEvent(state, gate)]);
}

/** A FAIL with nothing to return to leaves the version where it is; verified it never is. */
function mayBeVerified(state: In<"watching">): boolean {
  return state.replacedBy === null && !state.gates.some((gate) => gate.verdict === "FAIL");
}

/** Grants tell which of two deployments came later: ids do not, since one that waited may be overtaken by a rollback. */
function isNewer(state: In<"watching">, epochs: Readonly<Record<string, number>>): boolean {
  return state.plan.regions.some((region) => (epochs[region] ?? 0) > epochOf(state, region));
}

function verify(state: In<"watching">, now: In<"verified">["at"]): Answer {
  const retire = perRegion(state, (region, epoch) => {
    const old = state.plan.baselines[region];
    return old == null ? publishVerified(state) : { type: "DrainAndRetire", region, epoch, version: old };
  }).filter((command) => command.type === "DrainAndRetire");
  return step({ ...common(state), phase: "verified", epochs: state.epochs, at: now, since: state.since }, [
    armLive(state, "verified"),
    ...retire,
    publishVerified(state),
  ]);
}

function publishVerified(state: In<"watching">): Command {
  return publish({ type: "deployment.verified", data: about(state) });
}
