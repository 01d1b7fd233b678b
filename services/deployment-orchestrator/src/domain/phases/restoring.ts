import { addMs, type Instant, type RegionName, step } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "../answers.ts";
import type { Command } from "../command.ts";
import { type In, type RegionProgress, setRegion, setRegions } from "../deployment.ts";
import type { Input } from "../input.ts";
import { end, epochOf, holderOf, perRegion, restoreHolderOf, stay } from "../moves.ts";
import { onDrift, onDriftGone } from "./drifting.ts";
import { followedAfterAll, lookAtMesh, onMeshDue } from "./unproven.ts";
import { backAfterAll, onRegionDue } from "./unwritten.ts";

const askAgainMs = 300;

/**
 * Traffic is on its way back. Before 100%: lower -> drain and retire -> ended.
 * After 100%: lower at once under the old epoch, take the lock again, lower once more under the new one (whoever held the targets in between
 * may have moved weights), let the base Service follow the baseline, drain and retire.
 * A region whose pods are gone is given back at once: what is deployed next there waits for no region that is away.
 */
export function onRestoring(state: In<"restoring">, input: Input): Answer {
  switch (input.type) {
    case "Lowered":
    case "LowerStale":
      return isCurrent(state, input) ? onLowered(state, input) : stay(state);
    case "LockGranted":
      return state.relock === "waiting" ? onRelocked(state, input.epochs) : stay(state);
    case "LockWaiting":
      return state.relock === "waiting" ? step(state, [askAgain(state, input.now)]) : stay(state);
    case "LockLost":
      return state.relock === "waiting" ? onLost(state) : stay(state);
    case "Followed": {
      const awaited = state.relock === "granted" && regionState(state, input.region) === "shut";
      return awaited && isCurrent(state, input) ? onFollowed(state, input.region) : stay(state);
    }
    case "Retired":
      return isCurrent(state, input) ? onRetired(state, input) : stay(state);
    case "TimeReached":
      return onDue(state, input);
    case "DriftSeen":
      return onDrift(state, input);
    case "DriftGone":
      return onDriftGone(state, input);
    default:
      return ignoreFacts(state, input);
  }
}

function onDue(state: In<"restoring">, input: Extract<Input, { type: "TimeReached" }>): Answer {
  return input.purpose === "region" ? onRegionDue(state, input) : onMeshDue(state, input);
}

function onRelocked(state: In<"restoring">, epochs: In<"restoring">["epochs"]): Answer {
  const next: In<"restoring"> = {
    ...{ ...state, epochs, relock: "granted" },
    regions: setRegions(state, { state: "lowering" }),
  };
  return step(
    next,
    perRegion(next, (region, epoch): Command => ({ type: "LowerWeight", region, epoch })),
  );
}

function askAgain(state: In<"restoring">, now: In<"restoring">["since"]): Command {
  return { type: "AcquireLock", holder: restoreHolderOf(state), preempt: true, at: addMs(now, askAgainMs) };
}

/** Another rollback took the targets first: where they are theirs nothing is left to do but to take the pods away. */
function onLost(state: In<"restoring">): Answer {
  const next: In<"restoring"> = { ...state, relock: "lost" };
  const shut = state.plan.regions.filter((region) => regionState(state, region) === "shut");
  return step(
    next,
    shut.flatMap((region) => retire(next, region)),
  );
}

/** Stale: a newer grant has the region, and its base Service. */
function onLowered(
  state: In<"restoring">,
  { type, region, now }: Extract<Input, { type: "Lowered" | "LowerStale" }>,
): Answer {
  if (regionState(state, region) !== "lowering") return stay(state);
  const written = type === "Lowered" && state.outcome === "rolled_back" ? loweredAt(state.regions[region], now) : {};
  const back = backAfterAll(state, region);
  const next = mark(state, region, { state: "shut", weightPercent: 0, ...written, ...back.change });
  const isNew = next.regions[region]?.lowered !== state.regions[region]?.lowered;
  const look = [...back.commands, ...(isNew ? [lookAtMesh(region, now)] : [])];
  if (state.relock === "waiting") return step(next, look);
  const onwards = state.relock === "granted" && type === "Lowered" ? follow(next, region) : retire(next, region);
  return step(next, [...onwards, ...look]);
}

/**
 * After 100% it is written twice: what the mesh has to show is known since the first. A raise that was not confirmed may have reached its proxies; where it had less
 * before, that is the least that silence has to be measured by.
 */
function loweredAt(before: RegionProgress | undefined, at: Instant): Pick<RegionProgress, "lowered"> {
  return { lowered: before?.lowered ?? { at, fromPercent: before?.weightPercent || (before?.rising ?? 0) } };
}

function onFollowed(state: In<"restoring">, region: RegionName): Answer {
  return step(mark(state, region, { state: "draining" }), retire(state, region));
}

function onRetired(state: In<"restoring">, input: Extract<Input, { type: "Retired" }>): Answer {
  const { region } = input;
  if (regionState(state, region) === "retired") return stay(state);
  const followed = followedAfterAll(state, region);
  const next = mark(state, region, { state: "retired", weightPercent: 0 });
  const all = state.plan.regions.every((each) => regionState(next, each) === "retired");
  const release = state.relock === "not_needed" ? [holderOf(state)] : [holderOf(state), restoreHolderOf(state)];
  if (!all) return step(next, [...followed, ...release.map((holder) => releaseRegion(holder, region))]);
  const regions = setRegions(next, { state: "retired" });
  const { outcome, reason, since } = state;
  const how = { outcome, reason, since, now: input.now, hadWeight: outcome === "rolled_back", release };
  const ended = end({ ...next, regions }, how);
  return { ...ended, commands: [...followed, ...ended.commands] };
}

function releaseRegion(holder: string, region: RegionName): Command {
  return { type: "ReleaseRegion", holder, region };
}

function follow(state: In<"restoring">, region: RegionName): readonly Command[] {
  const version = state.plan.baselines[region] ?? null;
  return [{ type: "Follow", region, epoch: epochOf(state, region), version }];
}

function retire(state: In<"restoring">, region: RegionName): readonly Command[] {
  return [{ type: "DrainAndRetire", region, epoch: epochOf(state, region), version: state.plan.version }];
}

function mark(state: In<"restoring">, region: string, change: Partial<RegionProgress>): In<"restoring"> {
  return { ...state, regions: setRegion(state.regions, region, change) };
}

function regionState(state: In<"restoring">, region: string): string {
  return state.regions[region]?.state ?? "pending";
}

function isCurrent(state: In<"restoring">, fact: { region: string; epoch: number }): boolean {
  return state.epochs[fact.region] === fact.epoch;
}
