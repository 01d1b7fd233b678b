import { fenceAnnotation, formatFence, nextFence, weightsAnnotation } from "./fence.ts";
import { type PatchOperation, pointer, setAnnotations } from "./json-patch.ts";
import { exposes, lowerMirrors, lowerSideRoute, testFence } from "./lowering.ts";
import type { Fence, RepairRequest } from "./port.ts";
import { toUnits } from "./raising.ts";
import {
  fenceOf,
  formatWeights,
  type HttpRoute,
  isOurs,
  mainRoute,
  setShares,
  testRoute,
  type VirtualService,
  weightsOf,
} from "./virtual-service.ts";

export type RepairDecision =
  | { readonly kind: "stale"; readonly fence: Fence }
  | { readonly kind: "refused" }
  | { readonly kind: "already" }
  | { readonly kind: "write"; readonly patch: readonly PatchOperation[]; readonly fence: Fence };

/**
 * Decides the repair of a weight that somebody raised: what the canary has above the approved percent goes to the baseline, other
 * destinations keep theirs, the gate stays open. A lowering write: it is not held up by `slipway.dev/paused` and tests the fence, the routes
 * and the weights that it read, so that what somebody lowers in between is never raised again.
 */
export function decideRepair(vs: VirtualService, service: string, request: RepairRequest): RepairDecision {
  const found = fenceOf(vs);
  if (found !== null && found.epoch > request.epoch) return { kind: "stale", fence: found };
  const main = mainRoute(vs);
  if (found === null || found.epoch < request.epoch || found.gate === "shut" || main === null)
    return { kind: "refused" };
  const { namespace } = vs.metadata;
  const { canary, percent } = request;
  const baseline = request.baseline ?? service;
  const now = weightsOf(vs);
  const surplus = (now[canary] ?? 0) - percent;
  const sides = (vs.spec.http ?? [])
    .map((route, index) => ({ route, index }))
    .filter(({ route, index }) => isOurs(route) && index !== main.index && exposes(route, canary, namespace));
  const mirrors = lowerMirrors(main.route, main.index, namespace, canary);
  if (surplus <= 0.001 && sides.length === 0 && mirrors.length === 0) return { kind: "already" };
  const weights =
    surplus <= 0.001 ? now : { ...now, [canary]: percent, [baseline]: rounded((now[baseline] ?? 0) + surplus) };
  const fence = nextFence(found, found);
  return {
    kind: "write",
    fence,
    patch: [
      testFence(vs, found),
      ...testRoute(main.route, main.index),
      ...testWeights(main.route, main.index),
      ...sides.flatMap(({ route, index }) => testRoute(route, index)),
      ...(surplus <= 0.001 ? [] : setShares(main.route, main.index, namespace, toUnits(weights))),
      ...sides.flatMap(({ route, index }) => lowerSideRoute(route, index, namespace, baseline, canary)),
      ...mirrors,
      ...setAnnotations(vs.metadata.annotations, {
        [fenceAnnotation]: formatFence(fence),
        [weightsAnnotation]: formatWeights(weights),
      }),
    ],
  };
}

function testWeights(route: HttpRoute, index: number): PatchOperation[] {
  return (route.route ?? []).flatMap(({ weight }, position): PatchOperation[] => {
    if (weight === undefined) return [];
    return [{ op: "test", path: pointer("spec", "http", index, "route", position, "weight"), value: weight }];
  });
}

function rounded(percent: number): number {
  return Math.round(percent * 10) / 10;
}
