import { step } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "../answers.ts";
import type { Command } from "../command.ts";
import { type In, type RegionProgress, setRegion, setRegions } from "../deployment.ts";
import type { Input } from "../input.ts";
import { end, holderOf, perRegion, restoreHolderOf, stay } from "../moves.ts";

/**
 * Traffic is on its way back. Before 100%: lower -> drain and retire -> ended.
 * After 100%: lower at once under the old epoch, take the lock again (new epochs), open the fence with the baseline at 100,
 * let the base Service follow the baseline, drain and retire.
 */
export function onRestoring(state: In<"restoring">, input: Input): Answer {
  switch (input.type) {
    case "Lowered":
      return isCurrent(state, input) ? onLowered(state, input.region) : stay(state);
    case "LowerStale":
      return isCurrent(state, input) ? onLowered(state, input.region) : stay(state);
    case "LockGranted": {
      if (state.relock !== "waiting") return stay(state);
      const next: In<"restoring"> = { ...state, epochs: input.epochs, relock: "opening" };
      return step(
        next,
        perRegion(next, (region, epoch) => ({
          type: "OpenFence",
          region,
          epoch,
          baseline: state.plan.baselines[region] ?? null,
        })),
      );
    }
    case "FenceOpened":
    case "FenceStale":
      return state.relock === "opening" && isCurrent(state, input) ? onReopened(state, input) : stay(state);
    case "Followed":
      return isCurrent(state, input) && regionState(state, input.region) !== "retired"
        ? onFollowed(state, input.region)
        : stay(state);
    case "Retired":
      return isCurrent(state, input) ? onRetired(state, input) : stay(state);
    default:
      return ignoreFacts(state, input);
  }
}

function onLowered(state: In<"restoring">, region: string): Answer {
  if (regionState(state, region) !== "lowering") return stay(state);
  const next = mark(state, region, { state: "shut", weightPercent: 0 });
  return step(next, state.relock === "not_needed" ? retire(next, region) : []);
}

/** The fence of the new grant is open with the baseline at 100: that is the restoration itself, then the base Service follows. */
function onReopened(state: In<"restoring">, input: Extract<Input, { type: "FenceOpened" | "FenceStale" }>): Answer {
  const next = mark(state, input.region, { state: "shut", weightPercent: 0 });
  const version = state.plan.baselines[input.region] ?? null;
  if (input.type === "FenceStale") return step(next, retire(next, input.region));
  const follow = perRegion(next, (region, epoch): Command => ({ type: "Follow", region, epoch, version }));
  return step(
    next,
    follow.filter((command) => "region" in command && command.region === input.region),
  );
}

function onFollowed(state: In<"restoring">, region: string): Answer {
  return step(mark(state, region, { state: "draining" }), retire(state, region));
}

function onRetired(state: In<"restoring">, input: Extract<Input, { type: "Retired" }>): Answer {
  const next = mark(state, input.region, { state: "retired", weightPercent: 0 });
  const all = state.plan.regions.every((region) => regionState(next, region) === "retired");
  if (!all) return step(next);
  const release = state.relock === "not_needed" ? [holderOf(state)] : [holderOf(state), restoreHolderOf(state)];
  const regions = setRegions(next, { state: "retired" });
  return end(
    { ...next, regions },
    {
      outcome: state.outcome,
      reason: state.reason,
      now: input.now,
      hadWeight: state.outcome === "rolled_back",
      release,
    },
  );
}

function retire(state: In<"restoring">, only: string): readonly Command[] {
  const { version } = state.plan;
  const all = perRegion(state, (region, epoch): Command => ({ type: "DrainAndRetire", region, epoch, version }));
  return all.filter((command) => command.type === "DrainAndRetire" && command.region === only);
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
