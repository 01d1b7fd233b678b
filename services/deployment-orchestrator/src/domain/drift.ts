import { type Approved, approvedIn, type TrafficSeen } from "./approved.ts";
import type { Deployment, Drift } from "./deployment.ts";

const slack = 0.05;

/** Compares a region's traffic with what was decided. Null: as it should be, or none of this deployment's business. */
export function driftOf(state: Deployment, region: string, traffic: TrafficSeen): Drift | null {
  const approved = approvedIn(state, region);
  if (approved === null || (traffic.fence !== null && traffic.fence.epoch > approved.epoch)) return null;
  const percent = traffic.weights[state.plan.version] ?? 0;
  const ours = Math.abs((traffic.recorded?.[state.plan.version] ?? 0) - percent) <= slack;
  const most = ours ? approved.limit : approved.most;
  const found = gateDrift(approved, traffic) ?? weightDrift({ ...approved, most }, traffic, percent);
  if (found === null) return stillLowered(state.regions[region]?.drift, percent);
  return { ...found, by: traffic.writtenBy ?? "somebody with kubectl", percent, seen: traffic.resourceVersion };
}

/** Where it was lowered, nobody waits for more: that it stands there is as it was found, not mended. */
function stillLowered(known: Drift | null | undefined, percent: number): Drift | null {
  return known?.kind === "lowered" && Math.abs(known.percent - percent) <= slack ? known : null;
}

type Found = Pick<Drift, "kind" | "what">;

function gateDrift(approved: Approved, { exists, fence }: TrafficSeen): Found | null {
  if (approved.gate === "any") return null;
  if (!exists) return { kind: "unfenced", what: "the VirtualService was deleted: the base Service takes all requests" };
  if (fence === null) return { kind: "unfenced", what: "the fence annotation is gone or cannot be read" };
  if (fence.epoch < approved.epoch) return { kind: "unfenced", what: "the fence annotation names an older grant" };
  return fence.gate === "shut" ? { kind: "shut", what: "the fence was shut" } : null;
}

function weightDrift(approved: Approved, traffic: TrafficSeen, percent: number): Found | null {
  const { least, most } = approved;
  if (percent > most + slack) return { kind: "raised", what: `the weight was raised to ${shown(percent)}` };
  if (approved.gate === "any") return null;
  if (traffic.paused !== null) return { kind: "paused", what: `slipway.dev/paused: ${traffic.paused}` };
  if (!traffic.routed) return { kind: "rerouted", what: "the route `slipway` was removed" };
  if (traffic.hiddenBy !== null)
    return { kind: "rerouted", what: `route ${traffic.hiddenBy} takes every request before Slipway's` };
  if (percent < least - slack) return { kind: "lowered", what: `the weight was lowered to ${shown(percent)}` };
  const other = Object.entries(traffic.weights).find(
    ([name, share]) => share > slack && !approved.known.includes(name),
  );
  return other === undefined
    ? null
    : { kind: "rerouted", what: `${shown(other[1])} of the requests go to ${other[0]}` };
}

/** The same finding again. A second raise to the same weight is another one; what is left as it was found is not. */
export function isSameDrift(one: Drift | null | undefined, other: Drift): boolean {
  if (one == null || one.kind !== other.kind || one.what !== other.what) return false;
  return other.kind !== "raised" || one.seen === other.seen;
}

/** What the region's line says of it. */
export function driftSentence({ kind, what, by }: Drift, approvedPercent: number): string {
  if (kind === "raised") return `${what} by ${by}: repaired to ${shown(approvedPercent)}`;
  return kind === "shut" ? what : `${what} by ${by}`;
}

function shown(percent: number): string {
  return `${Math.round(percent * 10) / 10}%`;
}
