import { fenceAnnotation, formatFence, nextFence, weightsAnnotation } from "./fence.ts";
import { type PatchOperation, pointer, setAnnotations, testVersion } from "./json-patch.ts";
import { exposes } from "./lowering.ts";
import {
  fenceOf,
  formatWeights,
  type HttpRoute,
  isOurs,
  localName,
  pausedOf,
  recordedWeights,
  type VirtualService,
  weightsOf,
} from "./virtual-service.ts";

export type RetireDecision =
  | { readonly kind: "stale"; readonly epoch: number }
  | { readonly kind: "paused"; readonly reason: string }
  /** The version still has requests, or somebody else's route names it. */
  | { readonly kind: "in_use"; readonly by: string }
  | { readonly kind: "nothing" }
  | { readonly kind: "write"; readonly patch: readonly PatchOperation[] };

/** Decides the removal of a version's destinations from our routes. The gate and its holder stay as they are. */
export function decideRetire(vs: VirtualService, version: string, epoch: number): RetireDecision {
  const found = fenceOf(vs);
  if (found !== null && found.epoch > epoch) return { kind: "stale", epoch: found.epoch };
  const paused = pausedOf(vs);
  if (paused !== null) return { kind: "paused", reason: paused };
  const { namespace } = vs.metadata;
  const routes = (vs.spec.http ?? []).map((route, index) => ({ route, index }));
  const user = routes.find(({ route }) =>
    isOurs(route) ? exposes(route, version, namespace) : positions(route, version, namespace).length > 0,
  );
  if (user !== undefined) return { kind: "in_use", by: user.route.name ?? `route number ${user.index + 1}` };
  const removals = routes.flatMap(({ route, index }) =>
    positions(route, version, namespace).map((position) => pointer("spec", "http", index, "route", position)),
  );
  if (removals.length === 0) return { kind: "nothing" };
  const fence = nextFence(found, found ?? { epoch, gate: "shut", holder: "nobody" });
  const { [version]: _gone, ...weights } = recordedWeights(vs) ?? weightsOf(vs);
  return {
    kind: "write",
    patch: [
      testVersion(vs.metadata.resourceVersion),
      ...removals.map((path): PatchOperation => ({ op: "remove", path })),
      ...setAnnotations(vs.metadata.annotations, {
        [fenceAnnotation]: formatFence(fence),
        [weightsAnnotation]: formatWeights(weights),
      }),
    ],
  };
}

/** Places of a version's destinations, last first, so that removing one does not move the next. */
function positions(route: HttpRoute, version: string, namespace: string): number[] {
  return (route.route ?? [])
    .flatMap(({ destination }, position) => (localName(destination.host, namespace) === version ? [position] : []))
    .reverse();
}
