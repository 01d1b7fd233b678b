import type { VersionName } from "@slipway/kernel";
import { z } from "zod";
import { patchObject } from "./calls.ts";
import { RegionRejected } from "./errors.ts";
import { baselineAnnotation, nextFence } from "./fence.ts";
import { setAnnotations, testVersion } from "./json-patch.ts";
import {
  create,
  type Effects,
  ensureNamespace,
  readAs,
  readBase,
  readVirtualService,
  untilWritten,
} from "./objects.ts";
import { decideOpen, newVirtualService } from "./opening.ts";
import * as paths from "./paths.ts";
import { isReady, PodList } from "./pod.ts";
import type {
  FenceSeen,
  OpenFenceRequest,
  OpenFenceResult,
  RaiseRefusal,
  RaiseRequest,
  RaiseResult,
  Target,
  TrafficView,
} from "./port.ts";
import { checkRaise, decideRaise, tookHold } from "./raising.ts";
import { fenceOf, VirtualService, viewOf, weightsOf } from "./virtual-service.ts";
import { baseService, epochOf, foreignOf, liveVersionOf } from "./workload.ts";

/** Effects on the traffic objects that may raise exposure, or open the way to it. Lowering has a file of its own. */
export async function readTraffic(effects: Effects, target: Target): Promise<TrafficView> {
  const { vs, live, foreign } = await readBoth(effects, target);
  return { ...viewOf(vs, live), ...(foreign === undefined ? {} : { foreign }) };
}

/** Every VirtualService of the region that carries a fence, in pages. */
export async function listFences({ connection }: Effects): Promise<readonly FenceSeen[]> {
  const found: FenceSeen[] = [];
  let token: string | undefined;
  do {
    const query = { limit: "500", ...(token === undefined ? {} : { continue: token }) };
    const page = await readAs(connection, paths.allVirtualServices, VirtualServiceList, { query });
    for (const item of page?.items ?? []) {
      const vs = VirtualService.safeParse(item);
      const fence = vs.success ? fenceOf(vs.data) : null;
      if (!vs.success || fence === null) continue;
      const { namespace, name } = vs.data.metadata;
      found.push({ target: { environment: namespace, service: name } as Target, fence, weights: weightsOf(vs.data) });
    }
    token = page?.metadata.continue;
  } while (token !== undefined && token !== "");
  return found;
}

const VirtualServiceList = z.looseObject({
  metadata: z.looseObject({ continue: z.string().optional() }),
  items: z.array(z.unknown()),
});

export async function openFence(effects: Effects, target: Target, request: OpenFenceRequest): Promise<OpenFenceResult> {
  return untilWritten(effects, paths.virtualService(target), () => attemptOpen(effects, target, request));
}

async function attemptOpen(
  effects: Effects,
  target: Target,
  request: OpenFenceRequest,
): Promise<OpenFenceResult | null> {
  const { connection } = effects;
  const { vs, live } = await readBoth(effects, target);
  if (vs === null) {
    await createOpen(effects, target, request);
    return null;
  }
  const decision = decideOpen(vs, target.service, request, live);
  if (decision.kind === "stale" || decision.kind === "paused") return decision;
  if (decision.kind === "already") return { kind: "opened", seq: decision.seq };
  if (decision.kind === "hidden") {
    const object = `VirtualService ${target.environment}/${target.service}`;
    throw new RegionRejected(
      connection.region,
      `route ${decision.route} of ${object} takes every request before Slipway's route`,
    );
  }
  if (!(await ensureBase(effects, target, request))) return null;
  const outcome = await patchObject(connection, paths.virtualService(target), decision.patch);
  return outcome.kind === "written" ? { kind: "opened", seq: decision.fence.seq } : null;
}

/** Namespace, base Service and VirtualService of a service that is new in this region. */
async function createOpen(effects: Effects, target: Target, request: OpenFenceRequest): Promise<void> {
  await ensureNamespace(effects, target.environment);
  if (!(await ensureBase(effects, target, request))) return;
  const fence = nextFence(null, { epoch: request.epoch, gate: "open", holder: request.deployment });
  await create(effects.connection, paths.virtualServices(target), newVirtualService(target, fence, request.baseline));
}

/**
 * A gate that is shut where nothing stands. It names no baseline and makes no Service: that would be a way to choose who gets requests, which the
 * account that lowers has not (deploy/regions). The next opening brings both.
 */
export async function createShut(effects: Effects, target: Target, request: OpenFenceRequest): Promise<void> {
  await ensureNamespace(effects, target.environment);
  const fence = nextFence(null, { epoch: request.epoch, gate: "shut", holder: request.deployment });
  await create(effects.connection, paths.virtualServices(target), newVirtualService(target, fence, null));
}

/** The base Service, with the name of the version to which a lowering may turn it back. False: it lost a race. */
async function ensureBase(effects: Effects, target: Target, request: OpenFenceRequest): Promise<boolean> {
  const { connection } = effects;
  const baseline = request.baseline ?? target.service;
  const base = await readBase(effects, target);
  if (base === null) {
    const wanted = baseService(target, request.baseline, request.epoch, baseline);
    return (await create(connection, paths.services(target), wanted)) === "created";
  }
  const { annotations, resourceVersion } = base.metadata;
  if (annotations?.[baselineAnnotation] === baseline || epochOf(base) > request.epoch) return true;
  const patch = [testVersion(resourceVersion), ...setAnnotations(annotations, { [baselineAnnotation]: baseline })];
  return (await patchObject(connection, paths.baseServicePath(target), patch)).kind === "written";
}

export async function raise(effects: Effects, target: Target, request: RaiseRequest): Promise<RaiseResult> {
  checkRaise(target.service, request);
  const found = await readBoth(effects, target);
  if (found.vs === null) return refused("shut", found);
  const decision = decideRaise(found.vs, target.service, request, found.live);
  if (decision.kind === "refuse") return refused(decision.why, found);
  if (decision.kind === "already") return { kind: "raised", seq: decision.seq };
  const ready = await Promise.all(decision.rising.map((name) => hasReadyPods(effects, target, name)));
  if (ready.includes(false)) return refused("not_ready", found);

  const outcome = await patchObject(effects.connection, paths.virtualService(target), decision.patch);
  if (outcome.kind === "written") return { kind: "raised", seq: decision.fence.seq };
  // Never repeated here: what was found instead goes back to the one who decides.
  const after = await readBoth(effects, target);
  if (after.vs !== null && tookHold(after.vs, decision)) return { kind: "raised", seq: decision.fence.seq };
  return refused(whyLost(after, target, request), after);
}

type Found = {
  readonly vs: VirtualService | null;
  readonly live: VersionName | null;
  readonly foreign: string | undefined;
};

async function readBoth(effects: Effects, target: Target): Promise<Found> {
  const [vs, base] = await Promise.all([readVirtualService(effects, target), readBase(effects, target)]);
  return { vs, live: liveVersionOf(base), foreign: foreignOf(base) };
}

/** The reason that stands in the region now; `conflict` when nothing but another write came between. */
function whyLost({ vs, live }: Found, target: Target, request: RaiseRequest): RaiseRefusal {
  if (vs === null) return "shut";
  const decision = decideRaise(vs, target.service, request, live);
  return decision.kind === "refuse" ? decision.why : "conflict";
}

function refused(why: RaiseRefusal, { vs, live }: Found): RaiseResult {
  return { kind: "refused", why, traffic: viewOf(vs, live) };
}

/** Whether the Service of this name exists and selects at least one ready pod. */
async function hasReadyPods({ connection }: Effects, target: Target, name: string): Promise<boolean> {
  const service = await readBase({ connection }, { ...target, service: name as Target["service"] });
  const selector = Object.entries(service?.spec.selector ?? {});
  if (selector.length === 0) return false;
  const labelSelector = selector.map(([label, value]) => `${label}=${value}`).join(",");
  const list = await readAs(connection, paths.pods(target), PodList, { query: { labelSelector } });
  return list?.items.some(isReady) ?? false;
}
