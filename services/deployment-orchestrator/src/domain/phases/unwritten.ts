import { type RegionName, step, type VersionName } from "@slipway/kernel";
import type { Command } from "../command.ts";
import { type Common, type In, type RegionProgress, setRegion } from "../deployment.ts";
import type { Input, RegionTimer } from "../input.ts";
import { about, type Decision, publish, stay } from "../moves.ts";

type Due = Extract<Input, { type: "TimeReached"; purpose: RegionTimer }>;

/** The time is up: where nothing is written yet somebody is told, once. That a mesh does not follow what was written is told by itself. */
export function onRegionDue(state: In<"restoring">, { region }: Due): Decision {
  const progress = state.regions[region];
  const unwritten = progress?.state === "lowering" && progress.lowered === undefined;
  return unwritten ? tellAway(state, region, { weight_percent: progress.weightPercent }) : stay(state);
}

/** The same of the way back from a verified version, whose first write is the fence: what it leads away from has all requests there until then. */
export function onUnopenedDue(state: In<"opening">, { region }: Due): Decision {
  if (state.regions[region]?.state !== "opening") return stay(state);
  return tellAway(state, region, { weight_percent: 100, ...insteadOf(state, region) });
}

function tellAway(
  state: In<"restoring" | "opening">,
  region: RegionName,
  had: { readonly weight_percent: number; readonly instead?: VersionName },
): Decision {
  if (state.regions[region]?.away !== undefined) return stay(state);
  const { since } = state;
  const regions = setRegion(state.regions, region, { away: { since } });
  const data = { ...about(state), region, since, ...had };
  return step({ ...state, regions }, [publish({ type: "deployment.region_away", data })]);
}

/** What whoever was told that the region is away is told once it was written there. */
export function backAfterAll(
  state: In<"restoring" | "raising">,
  region: RegionName,
): { readonly change: Pick<RegionProgress, "away">; readonly commands: readonly Command[] } {
  const away = state.regions[region]?.away;
  if (away === undefined || away.back === true) return { change: {}, commands: [] };
  const instead = state.phase === "raising" ? insteadOf(state, region) : {};
  const data = { ...about(state), region, since: away.since, ...instead };
  return { change: { away: { ...away, back: true } }, commands: [publish({ type: "deployment.region_back", data })] };
}

function insteadOf({ plan }: Common, region: RegionName): { readonly instead?: VersionName } {
  const version = plan.baselines[region];
  return version == null ? {} : { instead: version };
}
