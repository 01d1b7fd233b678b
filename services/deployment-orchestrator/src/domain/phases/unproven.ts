import { addMs, type Instant, type RegionName, step } from "@slipway/kernel";
import type { Command } from "../command.ts";
import { type In, type RegionProgress, setRegion } from "../deployment.ts";
import type { Input } from "../input.ts";
import { about, type Decision, publish, stay } from "../moves.ts";

/** Four times what the silence of a service with hardly any requests takes, which is the longest that a mesh with nothing wrong is waited for. */
const followWithinMs = 120_000;

/** Weight 0 is written there, and its mesh has not shown yet that it serves that. */
export function unprovenIn(progress: RegionProgress | undefined): RegionProgress["lowered"] {
  return progress?.state === "retired" ? undefined : progress?.lowered;
}

/** Asks for a look at whether the region's mesh has followed what was written there now. */
export function lookAtMesh(region: RegionName, now: Instant): Command {
  return { type: "WakeAt", at: addMs(now, followWithinMs), purpose: "mesh", region };
}

/** The time is up: somebody is told, once. */
export function onMeshDue(state: In<"restoring">, input: Extract<Input, { type: "TimeReached" }>): Decision {
  if (input.purpose !== "mesh") return stay(state);
  const { region } = input;
  const unproven = unprovenIn(state.regions[region]);
  if (unproven === undefined || unproven.told === true) return stay(state);
  const regions = setRegion(state.regions, region, { lowered: { ...unproven, told: true } });
  const data = { ...about(state), region, since: unproven.at, from_percent: unproven.fromPercent };
  return step({ ...state, regions }, [publish({ type: "deployment.mesh_behind", data })]);
}

/** What whoever was told that the region's mesh is behind is told once its pods are gone. */
export function followedAfterAll(state: In<"restoring">, region: RegionName): readonly Command[] {
  const unproven = unprovenIn(state.regions[region]);
  if (unproven?.told !== true) return [];
  return [publish({ type: "deployment.mesh_followed", data: { ...about(state), region, since: unproven.at } })];
}
