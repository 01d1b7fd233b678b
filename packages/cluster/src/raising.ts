import { baselineAnnotation, fenceAnnotation, formatFence, nextFence, weightsAnnotation } from "./fence.ts";
import { type PatchOperation, setAnnotations, testVersion } from "./json-patch.ts";
import type { Fence, RaiseRefusal, RaiseRequest } from "./port.ts";
import {
  fenceOf,
  formatWeights,
  mainRoute,
  pausedOf,
  recordedWeights,
  sameWeights,
  setShares,
  type VirtualService,
  weightsOf,
} from "./virtual-service.ts";

/** The most of production that a version may have before it is proven, in percent. */
export const unprovenLimitPercent = 5;

export type RaiseDecision =
  | { readonly kind: "refuse"; readonly why: RaiseRefusal }
  | { readonly kind: "already"; readonly seq: number }
  | {
      readonly kind: "write";
      readonly patch: readonly PatchOperation[];
      readonly fence: Fence;
      readonly weights: Readonly<Record<string, number>>;
      /** Services whose share grows: each must have a ready endpoint. */
      readonly rising: readonly string[];
    };

/**
 * Decides a raise over the VirtualService as it was read. The patch tests resourceVersion: whatever was written in
 * between, by anybody, makes it fall. `live` is the version that the base Service selects: it and the base Service are
 * the only ones that may grow beyond 5% of production without proof, so that naming a baseline is no way around the rule.
 */
export function decideRaise(
  vs: VirtualService,
  service: string,
  request: RaiseRequest,
  live: string | null,
): RaiseDecision {
  const why = refusal(vs, request);
  if (why !== null) return { kind: "refuse", why };
  const fence = fenceOf(vs);
  const main = mainRoute(vs);
  if (main === null || fence === null) return { kind: "refuse", why: "drifted" };
  const now = weightsOf(vs);
  const weights = wantedWeights(now, service, request);
  if (sameWeights(now, weights)) return { kind: "already", seq: fence.seq };
  const rising = Object.keys(weights).filter((name) => (weights[name] ?? 0) > (now[name] ?? 0) + 0.001);
  const unknown = rising.filter((name) => name !== service && name !== live);
  if (unknown.some((name) => isUnproven({ percent: weights[name] ?? 0, exposure: request.exposure }))) {
    return { kind: "refuse", why: "unproven" };
  }
  const next = nextFence(fence, { epoch: request.epoch, gate: "open", holder: request.deployment });
  return {
    kind: "write",
    fence: next,
    weights,
    rising,
    patch: [
      testVersion(vs.metadata.resourceVersion),
      ...setShares(main.route, main.index, vs.metadata.namespace, toUnits(weights)),
      ...setAnnotations(vs.metadata.annotations, {
        [fenceAnnotation]: formatFence(next),
        [weightsAnnotation]: formatWeights(weights),
        [baselineAnnotation]: request.baseline ?? service,
      }),
    ],
  };
}

function refusal(vs: VirtualService, request: RaiseRequest): RaiseRefusal | null {
  const fence = fenceOf(vs);
  if (isUnproven(request)) return "unproven";
  if (fence !== null && fence.epoch > request.epoch) return "stale";
  if (fence === null || fence.epoch < request.epoch || fence.gate === "shut") return "shut";
  if (fence.holder !== request.deployment) return "stale";
  if (pausedOf(vs) !== null) return "paused";
  if (hasDrifted(vs, request)) return "drifted";
  return null;
}

/** The rule of 5%, at the write of the weight and whatever the caller decided. */
function isUnproven({ percent, exposure }: Pick<RaiseRequest, "percent" | "exposure">): boolean {
  return exposure.production && !exposure.proven && !(percent <= unprovenLimitPercent);
}

/** Somebody else gave the canary less than our last write did, and less than the caller knows of: that is a halt, and never undone. */
function hasDrifted(vs: VirtualService, { canary, from }: RaiseRequest): boolean {
  const recorded = recordedWeights(vs)?.[canary] ?? 0;
  return (weightsOf(vs)[canary] ?? 0) < Math.min(recorded, from ?? recorded) - 0.001;
}

/** Whether a write whose answer was lost stands in the region. */
export function tookHold(vs: VirtualService, write: { fence: Fence; weights: Readonly<Record<string, number>> }) {
  const found = fenceOf(vs);
  return found !== null && formatFence(found) === formatFence(write.fence) && sameWeights(weightsOf(vs), write.weights);
}

function wantedWeights(
  now: Readonly<Record<string, number>>,
  service: string,
  { baseline, canary, percent }: RaiseRequest,
): Record<string, number> {
  const zeros = Object.fromEntries(Object.keys(now).map((name) => [name, 0]));
  const rest = Math.round((100 - percent) * 10) / 10;
  return { ...zeros, [baseline ?? service]: rest, [canary]: percent };
}

/** Istio's weights are whole numbers: percent where they are whole, else tenths. */
export function toUnits(weights: Readonly<Record<string, number>>): Record<string, number> {
  const scale = Object.values(weights).every(Number.isInteger) ? 1 : 10;
  return Object.fromEntries(Object.entries(weights).map(([name, percent]) => [name, Math.round(percent * scale)]));
}

/** Throws RangeError for a request that no region could serve: a bug of the caller. */
export function checkRaise(service: string, { baseline, canary, percent }: RaiseRequest): void {
  if (!(percent >= 0 && percent <= 100) || Math.abs(percent * 10 - Math.round(percent * 10)) > 1e-6) {
    throw new RangeError(`a weight is 0 to 100 percent in steps of 0.1, not ${percent}`);
  }
  if (canary === baseline || canary === (service as string)) {
    throw new RangeError(`${canary} cannot be canary and baseline at once`);
  }
}
