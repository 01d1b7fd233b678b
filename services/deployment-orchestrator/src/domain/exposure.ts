import { provePass } from "@slipway/judge";
import { type Instant, msBetween, type RegionName } from "@slipway/kernel";
import type { Common, Gate } from "./deployment.ts";

/** The share of production traffic that an unproven version may take, in percent. */
export const unprovenLimitPercent = 5;
const proofLifetimeMs = 24 * 3_600_000;
/** Evidence may be pooled over regions; each must have brought at least this many canary requests. */
const requestsPerRegion = 46;

export type Exposure =
  | { readonly allowed: true; readonly proven: boolean }
  | { readonly allowed: false; readonly why: string };

/**
 * The exposure invariant: no step takes unproven exposure in production above 5%.
 * Proven is a PASS at <= 5% (recomputed here from its counts, less than 24 h old, after the last FAIL, with enough requests from
 * each region), a named approval, the confirmed first deployment, or the way back to a version that was verified here.
 */
export function mayExpose(state: Common, weightPercent: number, now: Instant): Exposure {
  const proven = isProven(state, now);
  if (!state.plan.production || weightPercent <= unprovenLimitPercent || proven) return { allowed: true, proven };
  return {
    allowed: false,
    why: `${weightPercent}% of production needs a PASS at ${unprovenLimitPercent}% or less, or a named approval`,
  };
}

export function isProven(state: Common, now: Instant): boolean {
  if (state.plan.rollsBack !== null || state.approval !== null) return true;
  const lastFail = state.gates.findLastIndex((gate) => gate.verdict === "FAIL");
  return state.gates.slice(lastFail + 1).some((gate) => isProof(gate, state.plan.regions, now));
}

function isProof(gate: Gate, regions: readonly RegionName[], now: Instant): boolean {
  return (
    gate.weightPercent <= unprovenLimitPercent && gatePasses(gate, regions) && msBetween(gate.at, now) < proofLifetimeMs
  );
}

/** PASS, recomputed from the counts: what a fact claims is never enough. */
export function gatePasses(gate: Gate, regions: readonly RegionName[]): boolean {
  if (gate.verdict !== "PASS" || !provePass(gate.counts).pass) return false;
  return regions.every((region) => (gate.canaryRequests[region] ?? 0) >= requestsPerRegion);
}
