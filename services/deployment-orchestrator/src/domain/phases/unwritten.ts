import { type RegionName, step } from "@slipway/kernel";
import type { Command } from "../command.ts";
import { type In, type RegionProgress, setRegion } from "../deployment.ts";
import type { Input, RegionTimer } from "../input.ts";
import { about, type Decision, publish, stay } from "../moves.ts";

/** The time is up: where nothing is written yet somebody is told, once. That a mesh does not follow what was written is told by itself. */
export function onRegionDue(
  state: In<"restoring">,
  { region }: Extract<Input, { type: "TimeReached"; purpose: RegionTimer }>,
): Decision {
  const progress = state.regions[region];
  const unwritten = progress?.state === "lowering" && progress.lowered === undefined;
  if (!unwritten || progress.away !== undefined) return stay(state);
  const since = state.since;
  const regions = setRegion(state.regions, region, { away: { since } });
  const data = { ...about(state), region, since, weight_percent: progress.weightPercent };
  return step({ ...state, regions }, [publish({ type: "deployment.region_away", data })]);
}

/** What whoever was told that the region is away is told once it was written there. */
export function backAfterAll(
  state: In<"restoring">,
  region: RegionName,
): { readonly change: Pick<RegionProgress, "away">; readonly commands: readonly Command[] } {
  const away = state.regions[region]?.away;
  if (away === undefined || away.back === true) return { change: {}, commands: [] };
  const data = { ...about(state), region, since: away.since };
  return { change: { away: { ...away, back: true } }, commands: [publish({ type: "deployment.region_back", data })] };
}
