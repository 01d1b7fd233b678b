import type { Deployment } from "./deployment.ts";
import { weightAt } from "./plan.ts";

/** A region's traffic as it was read: what the comparison needs of it. */
export type TrafficSeen = {
  readonly exists: boolean;
  readonly fence: { readonly epoch: number; readonly gate: "open" | "shut" } | null;
  readonly paused: string | null;
  readonly weights: Readonly<Record<string, number>>;
  /** What the last write of Slipway left. */
  readonly recorded: Readonly<Record<string, number>> | null;
  readonly routed: boolean;
  readonly hiddenBy: string | null;
  readonly writtenBy: string | null;
  readonly resourceVersion: string;
};

/** What a deployment's version may have in a region, in percent, by what was decided last. */
export type Approved = {
  readonly epoch: number;
  /** It was given so much, and nobody has been told of less. */
  readonly least: number;
  /** More than this is repaired, down to this. */
  readonly most: number;
  /** So much may stand there by a write of ours that is still to be told: a raise that a halt overtook. */
  readonly limit: number;
  /** `open`: the gate must be; `any`: it was shut on purpose. */
  readonly gate: "open" | "any";
  /** Destinations that may have requests. */
  readonly known: readonly string[];
};

/** Null where nothing is to be compared: no grant yet, on the way down, ended, or replaced by a newer version. */
export function approvedIn(state: Deployment, region: string): Approved | null {
  const range = rangeOf(state, region);
  const epoch = "epochs" in state ? state.epochs[region] : undefined;
  if (range === null || epoch === undefined) return null;
  const { plan } = state;
  const known = [plan.version, plan.service, plan.baselines[region] ?? plan.service];
  return { epoch, known, gate: state.phase === "restoring" ? "any" : "open", ...range };
}

/** A way back leads to what was verified here: where that has requests already, they stay. Its regions go on alone, before the last fence is open. */
function isOnWayBack(state: Deployment, region: string): boolean {
  if (state.plan.rollsBack === null) return false;
  if (state.phase === "opening") return state.opened.some((opened) => opened === region);
  return ["preparing", "awaiting_approval", "baking", "raising", "held"].includes(state.phase);
}

function rangeOf(state: Deployment, region: string): Pick<Approved, "least" | "most" | "limit"> | null {
  const given = state.regions[region]?.weightPercent ?? 0;
  if (isOnWayBack(state, region)) return { least: given, most: 100, limit: 100 };
  switch (state.phase) {
    case "preparing":
    case "awaiting_approval":
    case "baking":
      return { least: given, most: given, limit: given };
    case "raising":
    case "held": {
      const limit = Math.max(given, weightAt(state.plan, state.step));
      const writing = state.phase === "raising" && state.stage === "weighting";
      return { least: given, most: writing ? limit : given, limit };
    }
    case "finishing":
      return { least: given, most: 100, limit: 100 };
    case "watching":
      return state.replacedBy === null ? { least: 100, most: 100, limit: 100 } : null;
    case "restoring": {
      const lowered = ["shut", "draining"].includes(state.regions[region]?.state ?? "");
      return lowered ? { least: 0, most: 0, limit: 0 } : null;
    }
    default:
      return null;
  }
}
