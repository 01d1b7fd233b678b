import type { Epoch, VersionName } from "@slipway/kernel";
import { patchObject, write } from "./calls.ts";
import { baselineAnnotation, epochAnnotation } from "./fence.ts";
import { pointer, setAnnotations, testVersion } from "./json-patch.ts";
import { create, type Effects, readAs, readBase, readVirtualService, untilWritten } from "./objects.ts";
import * as paths from "./paths.ts";
import type { FencedWrite, Target } from "./port.ts";
import { decideRetire } from "./retiring.ts";
import { type VirtualService, weightsOf } from "./virtual-service.ts";
import { baseSelector, baseService, epochOf, Fenced, liveVersionOf, named } from "./workload.ts";
import { guard } from "./workloads.ts";

const done: FencedWrite = { kind: "done" };

/**
 * The base Service is read before the VirtualService: a lowering writes them in the other order, so that a follow whose
 * reading is older than the lowering falls on the Service's resourceVersion.
 */
export async function follow(effects: Effects, target: Target, request: FollowRequest): Promise<FencedWrite> {
  return untilWritten(effects, paths.baseServicePath(target), () => attemptFollow(effects, target, request));
}

type FollowRequest = { readonly epoch: Epoch; readonly version: VersionName };

async function attemptFollow(effects: Effects, target: Target, { epoch, version }: FollowRequest) {
  const base = await readBase(effects, target);
  const vs = await readVirtualService(effects, target);
  const no = guard(vs, epoch) ?? notLive(vs, version);
  if (no !== null) return no;
  const baseline = vs?.metadata.annotations?.[baselineAnnotation];
  if (base === null) {
    const wanted = baseService(target, version, epoch, baseline);
    const created = await create(effects.connection, paths.services(target), wanted);
    return created === "created" ? done : null;
  }
  if (epochOf(base) > epoch) return { kind: "stale", epoch: epochOf(base) } as const;
  if (liveVersionOf(base) === version) return done;
  const patch = followPatch(target, base, { epoch, version }, baseline);
  const outcome = await patchObject(effects.connection, paths.baseServicePath(target), patch);
  return outcome.kind === "written" ? done : null;
}

/** The base Service only selects what has all traffic already: it is never a way around the weights. */
function notLive(vs: VirtualService | null, version: VersionName): FencedWrite | null {
  if (vs === null || (weightsOf(vs)[version] ?? 0) > 99.999) return null;
  return { kind: "refused", why: "not_live", detail: `${version} does not have all traffic` };
}

function followPatch(target: Target, base: Fenced, { epoch, version }: FollowRequest, baseline: string | undefined) {
  return [
    testVersion(base.metadata.resourceVersion),
    { op: "add", path: pointer("spec", "selector"), value: baseSelector(target.service, version) } as const,
    ...setAnnotations(base.metadata.annotations, { [epochAnnotation]: String(epoch), ...named(baseline) }),
  ];
}

export async function retire(
  effects: Effects,
  target: Target,
  version: VersionName,
  { epoch }: { readonly epoch: Epoch },
): Promise<FencedWrite> {
  const routes = await removeRoutes(effects, target, version, epoch);
  if (routes.kind !== "done") return routes;
  const collections = [paths.deployments, paths.destinationRules, paths.services, paths.secrets];
  for (const collection of collections.map((of) => of(target))) {
    const removed = await remove(effects, `${collection}/${version}`, epoch);
    if (removed.kind !== "done") return removed;
  }
  return done;
}

/** Answers done once no route of ours names the version and the base Service does not select it. */
async function removeRoutes(effects: Effects, target: Target, version: VersionName, epoch: Epoch) {
  return untilWritten<FencedWrite>(effects, paths.virtualService(target), async () => {
    const [vs, base] = await Promise.all([readVirtualService(effects, target), readBase(effects, target)]);
    if (liveVersionOf(base) === version) return inUse(`the base Service selects ${version}`);
    if (vs === null) return done;
    const decision = decideRetire(vs, version, epoch);
    if (decision.kind === "nothing") return done;
    if (decision.kind === "stale") return { kind: "stale", epoch: decision.epoch };
    if (decision.kind === "paused") return { kind: "refused", why: "paused", detail: decision.reason };
    if (decision.kind === "in_use") return inUse(`route ${decision.by} names ${version}`);
    const outcome = await patchObject(effects.connection, paths.virtualService(target), decision.patch);
    return outcome.kind === "written" ? done : null;
  });
}

function inUse(detail: string): FencedWrite {
  return { kind: "refused", why: "in_use", detail };
}

/** Deletes exactly the object that was read. */
async function remove(effects: Effects, path: string, epoch: number): Promise<FencedWrite> {
  return untilWritten<FencedWrite>(effects, path, async () => {
    const found = await readAs(effects.connection, path, Fenced);
    if (found === null) return done;
    if (epochOf(found) > epoch) return { kind: "stale", epoch: epochOf(found) };
    const { uid, resourceVersion } = found.metadata;
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      preconditions: { uid, resourceVersion },
    };
    const outcome = await write(effects.connection, "DELETE", path, { body });
    return outcome.kind === "written" ? done : null;
  });
}
