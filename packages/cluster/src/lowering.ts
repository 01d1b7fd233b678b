import { fenceAnnotation, formatFence, nextFence, weightsAnnotation } from "./fence.ts";
import { type PatchOperation, pointer, setAnnotations, testVersion } from "./json-patch.ts";
import type { Fence, LowerRequest } from "./port.ts";
import {
  fenceOf,
  formatWeights,
  type HttpRoute,
  isOurs,
  localName,
  mainRouteName,
  recordedWeights,
  routeWeights,
  sameWeights,
  setShares,
  testRoute,
  type VirtualService,
  weightsOf,
} from "./virtual-service.ts";

export type LowerDecision =
  | { readonly kind: "stale"; readonly fence: Fence }
  | { readonly kind: "already"; readonly seq: number }
  | { readonly kind: "write"; readonly patch: readonly PatchOperation[]; readonly fence: Fence };

/**
 * Decides a lowering: all traffic of our routes to the baseline, gate shut for this epoch. The patch tests the fence and
 * each route's name and destinations instead of resourceVersion, so that writers of other fields cannot hold it up.
 */
export function decideLower(vs: VirtualService, service: string, request: LowerRequest): LowerDecision {
  const found = fenceOf(vs);
  if (found !== null && found.epoch > request.epoch) return { kind: "stale", fence: found };
  const { namespace } = vs.metadata;
  const routes = (vs.spec.http ?? []).map((route, index) => ({ route, index })).filter(({ route }) => isOurs(route));
  const exposed = routes.some(({ route }) => exposes(route, request.canary, namespace));
  if (found?.epoch === request.epoch && found.gate === "shut" && !exposed) return { kind: "already", seq: found.seq };

  const fence = nextFence(found, { epoch: request.epoch, gate: "shut", holder: request.deployment });
  const baseline = request.baseline ?? service;
  const kept = movedByOthers(vs, request.canary);
  const main = routes.find(({ route }) => route.name === mainRouteName);
  const weights = main === undefined || kept ? weightsOf(vs) : allTo(baseline, weightsOf(vs));
  return {
    kind: "write",
    fence,
    patch: [
      testFence(vs, found),
      ...routes.flatMap(({ route, index }) => testRoute(route, index)),
      ...(main === undefined || kept ? [] : setShares(main.route, main.index, namespace, { [baseline]: 100 })),
      ...routes
        .filter((each) => each !== main && exposes(each.route, request.canary, namespace))
        .flatMap(({ route, index }) => lowerSideRoute(route, index, namespace, baseline, request.canary)),
      ...(main === undefined ? [] : lowerMirrors(main.route, main.index, namespace, request.canary)),
      ...setAnnotations(vs.metadata.annotations, {
        [fenceAnnotation]: formatFence(fence),
        [weightsAnnotation]: formatWeights(weights),
      }),
    ],
  };
}

/** Whether the canary receives requests, or copies of them, through a route of ours. */
export function exposes(route: HttpRoute, canary: string, namespace: string): boolean {
  if ((routeWeights(route, namespace)[canary] ?? 0) > 0) return true;
  return mirrorsTo(route, canary, namespace).some(({ share }) => share > 0);
}

/** Whether any route of ours gives this version requests. */
export function isExposed(vs: VirtualService, version: string): boolean {
  return (vs.spec.http ?? []).some((route) => isOurs(route) && exposes(route, version, vs.metadata.namespace));
}

/** Somebody moved traffic away from our plan, and the canary has none of it: their weights stay. */
function movedByOthers(vs: VirtualService, canary: string): boolean {
  const now = weightsOf(vs);
  const recorded = recordedWeights(vs);
  const carried = Object.values(now).some((percent) => percent > 0);
  return recorded !== null && carried && (now[canary] ?? 0) === 0 && !sameWeights(now, recorded);
}

export function testFence(vs: VirtualService, found: Fence | null): PatchOperation {
  // The absence of an annotation cannot be tested by a JSON patch.
  if (found === null) return testVersion(vs.metadata.resourceVersion);
  return { op: "test", path: pointer("metadata", "annotations", fenceAnnotation), value: formatFence(found) };
}

function allTo(baseline: string, now: Readonly<Record<string, number>>): Record<string, number> {
  return { ...Object.fromEntries(Object.keys(now).map((name) => [name, 0])), [baseline]: 100 };
}

export function lowerSideRoute(
  route: HttpRoute,
  index: number,
  namespace: string,
  baseline: string,
  canary: string,
): PatchOperation[] {
  const weighted = (routeWeights(route, namespace)[canary] ?? 0) > 0;
  return [
    ...(weighted ? setShares(route, index, namespace, { [baseline]: 100 }) : []),
    ...lowerMirrors(route, index, namespace, canary),
  ];
}

type Mirror = { readonly share: number; readonly path: readonly (string | number)[] };

/** Copies of requests: Istio's `mirror` (all of them unless `mirrorPercentage` says less) and `mirrors`. */
function mirrorsTo(route: HttpRoute, canary: string, namespace: string): Mirror[] {
  const single: Mirror[] =
    route.mirror !== undefined && localName(route.mirror.host, namespace) === canary
      ? [{ share: shareOf(route.mirrorPercentage) ?? route.mirrorPercent ?? 100, path: ["mirrorPercentage"] }]
      : [];
  const several = (route.mirrors ?? []).flatMap((mirror, position): Mirror[] =>
    localName(mirror.destination.host, namespace) === canary
      ? [{ share: shareOf(mirror.percentage) ?? 100, path: ["mirrors", position, "percentage"] }]
      : [],
  );
  return [...single, ...several];
}

function shareOf(percentage: unknown): number | undefined {
  if (typeof percentage !== "object" || percentage === null || !("value" in percentage)) return undefined;
  return typeof percentage.value === "number" ? percentage.value : undefined;
}

export function lowerMirrors(route: HttpRoute, index: number, namespace: string, canary: string): PatchOperation[] {
  const mirrors = mirrorsTo(route, canary, namespace).filter(({ share }) => share > 0);
  const tests: PatchOperation[] = [
    ...(mirrors.length > 0 && route.mirror !== undefined
      ? [{ op: "test" as const, path: pointer("spec", "http", index, "mirror"), value: route.mirror }]
      : []),
    ...mirrors
      .filter(({ path }) => path[0] === "mirrors")
      .map(({ path }) => ({
        op: "test" as const,
        path: pointer("spec", "http", index, "mirrors", path[1] ?? 0, "destination"),
        value: route.mirrors?.[Number(path[1])]?.destination,
      })),
  ];
  const zeros = mirrors.map(
    ({ path }): PatchOperation => ({
      op: "add",
      path: pointer("spec", "http", index, ...path),
      value: { value: 0 },
    }),
  );
  return [...tests, ...zeros];
}
