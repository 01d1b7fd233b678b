import { baselineAnnotation, fenceAnnotation, formatFence, nextFence, weightsAnnotation } from "./fence.ts";
import { type PatchOperation, pointer, setAnnotations, testVersion } from "./json-patch.ts";
import type { Fence, OpenFenceRequest, Target } from "./port.ts";
import {
  fenceOf,
  formatWeights,
  hidingRoute,
  mainRoute,
  mainRouteName,
  pausedOf,
  setShares,
  type VirtualService,
  weightsOf,
} from "./virtual-service.ts";

export type OpenDecision =
  | { readonly kind: "stale"; readonly fence: Fence }
  | { readonly kind: "paused"; readonly reason: string }
  | { readonly kind: "already"; readonly seq: number }
  /** Another route takes every request before ours would. */
  | { readonly kind: "hidden"; readonly route: string }
  | { readonly kind: "write"; readonly patch: readonly PatchOperation[]; readonly fence: Fence };

/**
 * Decides a new grant's first write: its epoch, the gate open, and all traffic of our route to the baseline. Only the version that the base
 * Service selects is given traffic so; another baseline is put into the route with 0, and the weights stay as they are.
 */
export function decideOpen(
  vs: VirtualService,
  service: string,
  request: OpenFenceRequest,
  live: string | null,
): OpenDecision {
  const found = fenceOf(vs);
  if (found !== null && found.epoch > request.epoch) return { kind: "stale", fence: found };
  if (found?.epoch === request.epoch) {
    const ours = found.gate === "open" && found.holder === request.deployment;
    return ours ? { kind: "already", seq: found.seq } : { kind: "stale", fence: found };
  }
  const paused = pausedOf(vs);
  if (paused !== null) return { kind: "paused", reason: paused };
  const hiding = hidingRoute(vs);
  if (hiding !== null) return { kind: "hidden", route: hiding };

  const fence = nextFence(found, { epoch: request.epoch, gate: "open", holder: request.deployment });
  const { patch, weights } = routePatch(vs, service, request.baseline, live);
  return {
    kind: "write",
    fence,
    patch: [
      testVersion(vs.metadata.resourceVersion),
      ...patch,
      ...setAnnotations(vs.metadata.annotations, {
        [fenceAnnotation]: formatFence(fence),
        [weightsAnnotation]: formatWeights(weights),
        [baselineAnnotation]: request.baseline ?? service,
      }),
    ],
  };
}

type RoutePatch = { readonly patch: readonly PatchOperation[]; readonly weights: Readonly<Record<string, number>> };

function routePatch(vs: VirtualService, service: string, baseline: string | null, live: string | null): RoutePatch {
  const main = mainRoute(vs);
  const present = weightsOf(vs);
  if (main !== null && baseline !== null && baseline === live && Object.keys(present).length > 0) {
    const weights = { ...Object.fromEntries(Object.keys(present).map((name) => [name, 0])), [baseline]: 100 };
    return { patch: setShares(main.route, main.index, vs.metadata.namespace, { [baseline]: 100 }), weights };
  }
  const weights = Object.keys(present).length === 0 ? { [service]: 100 } : present;
  const recorded = baseline === null ? weights : { [baseline]: 0, ...weights };
  return { patch: ensureRoute(vs, service, baseline), weights: recorded };
}

/** The VirtualService of a service that has none: all traffic stays with the base Service. */
export function newVirtualService(target: Target, fence: Fence, baseline: string | null): Record<string, unknown> {
  const { service, environment } = target;
  const weights = baseline === null ? { [service]: 100 } : { [service]: 100, [baseline]: 0 };
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: {
      name: service,
      namespace: environment,
      labels: { app: service, "app.kubernetes.io/managed-by": "slipway", "slipway.dev/service": service },
      annotations: {
        [fenceAnnotation]: formatFence(fence),
        [weightsAnnotation]: formatWeights(weights),
        [baselineAnnotation]: baseline ?? service,
      },
    },
    spec: { hosts: [service], http: [newRoute(weights)] },
  };
}

function newRoute(weights: Readonly<Record<string, number>>) {
  const route = Object.entries(weights).map(([host, weight]) => ({ destination: { host }, weight }));
  return { name: mainRouteName, route };
}

function ensureRoute(vs: VirtualService, service: string, baseline: string | null): PatchOperation[] {
  const main = mainRoute(vs);
  const fresh = newRoute(baseline === null ? { [service]: 100 } : { [service]: 100, [baseline]: 0 });
  if (main === null) {
    const missing: PatchOperation[] =
      vs.spec.http === undefined ? [{ op: "add", path: pointer("spec", "http"), value: [] }] : [];
    return [...missing, { op: "add", path: pointer("spec", "http", "-"), value: fresh }];
  }
  const at = (...rest: (string | number)[]) => pointer("spec", "http", main.index, "route", ...rest);
  const entries = main.route.route ?? [];
  if (entries.length === 0) return [{ op: "add", path: at(), value: fresh.route }];
  if (baseline === null || baseline in weightsOf(vs)) return [];
  // A lone destination has all traffic whatever its weight says; beside a second one the weight counts.
  const lone: PatchOperation[] = entries.length === 1 ? [{ op: "add", path: at(0, "weight"), value: 100 }] : [];
  return [...lone, { op: "add", path: at("-"), value: { destination: { host: baseline }, weight: 0 } }];
}
