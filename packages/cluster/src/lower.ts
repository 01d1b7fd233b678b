import { patchObject } from "./calls.ts";
import type { RequestOptions } from "./connection.ts";
import { RegionRejected, RegionUnavailable } from "./errors.ts";
import { type PatchOperation, pointer, setAnnotations, testVersion } from "./json-patch.ts";
import { decideLower, isExposed, type LowerDecision } from "./lowering.ts";
import { type Effects, jitter, readBase, readVirtualService } from "./objects.ts";
import * as paths from "./paths.ts";
import type { LowerRequest, LowerResult, RepairRequest, RepairResult, Target } from "./port.ts";
import { decideRepair } from "./repairing.ts";
import { createShut } from "./traffic.ts";
import { VirtualService } from "./virtual-service.ts";
import { baseSelector, epochOf, liveVersionOf } from "./workload.ts";

/** Marks on the base Service that an epoch is shut: writing it makes a late `follow` of that epoch fall. */
const shutAnnotation = "slipway.dev/shut";
/** The base Service waits so long behind the routes: at this moment the other regions are being lowered, on the same machine perhaps. */
const settleAfterMs = 50;
/** Many times what an answer takes. A connection that went dead says nothing: without this the lowering would wait out a whole try. */
const hedgeAfterMs = 300;

/** Of two of the same write the later one falls by what it tests, and the next reading finds that the lowering stands. */
const urgent = ({ lowerRequestMs }: Effects): RequestOptions => ({ timeoutMs: lowerRequestMs, hedgeAfterMs });

/**
 * All traffic to the baseline and the gate shut, in one write, tried again at once until it stands or the deadline is
 * over. A lowering whose answer was lost finds its own work at the next reading.
 */
export async function lower(effects: Effects, target: Target, request: LowerRequest): Promise<LowerResult> {
  if (request.canary === request.baseline) throw new RangeError(`${request.canary} is canary and baseline at once`);
  const deadline = effects.monotonicMs() + effects.lowerDeadlineMs;
  const result = await lowerRoutes(effects, target, request, deadline);
  if (result.kind === "stale") return result;
  if (request.baseline !== null) await effects.pause(settleAfterMs);
  const settled = persist(effects, deadline, () => settleBase(effects, target, request));
  // Without a baseline the base Service is where the traffic went: it is part of the lowering. Else the routes decide.
  if (request.baseline === null) await settled;
  else
    await settled.catch((err: unknown) =>
      effects.log.warn(
        { err, environment: target.environment, service: target.service },
        "base Service not settled after lowering",
      ),
    );
  return result;
}

async function lowerRoutes(effects: Effects, target: Target, request: LowerRequest, deadline: number) {
  // First over what the watch told last, which saves a reading: the patch tests all that it is built on, so that over older routes it can only fail.
  const told = effects.lastTold(target);
  const decision = told === undefined ? undefined : decideLower(told, target.service, request);
  const result = decision?.kind === "write" ? await writeLower(effects, target, request, decision).catch(orNull) : null;
  return result ?? (await persist(effects, deadline, () => attemptLower(effects, target, request)));
}

/** What failed is tried again; what the region refuses for good is not. */
function orNull(error: unknown): null {
  if (error instanceof RegionRejected) throw error;
  return null;
}

/** Null: lost a race or an answer, go again. */
async function attemptLower(effects: Effects, target: Target, request: LowerRequest): Promise<LowerResult | null> {
  const vs = await readVirtualService(effects, target, urgent(effects));
  if (vs === null) {
    // A gate that does not exist could still be opened by a late request of this very epoch.
    await createShut(effects, target, request);
    return null;
  }
  const decision = decideLower(vs, target.service, request);
  if (decision.kind === "stale") return decision;
  if (decision.kind === "already") return { kind: "shut", seq: decision.seq };
  return await writeLower(effects, target, request, decision);
}

/** Null: it did not take hold, or did not reach all that it has to. */
async function writeLower(
  effects: Effects,
  target: Target,
  request: LowerRequest,
  decision: Extract<LowerDecision, { kind: "write" }>,
): Promise<LowerResult | null> {
  const outcome = await patchObject(effects.connection, paths.virtualService(target), decision.patch, urgent(effects));
  if (outcome.kind !== "written") return null;
  const after = VirtualService.safeParse(outcome.object);
  const exposed = after.success && isExposed(after.data, request.canary);
  return exposed ? null : { kind: "shut", seq: decision.fence.seq };
}

/** What somebody raised goes back to what was approved, tried again at once like a lowering. */
export function repair(effects: Effects, target: Target, request: RepairRequest): Promise<RepairResult> {
  const deadline = effects.monotonicMs() + effects.lowerDeadlineMs;
  const within = { timeoutMs: effects.lowerRequestMs };
  return persist(effects, deadline, async (): Promise<RepairResult | null> => {
    const vs = await readVirtualService(effects, target, within);
    if (vs === null) return { kind: "refused" };
    const decision = decideRepair(vs, target.service, request);
    if (decision.kind !== "write") return decision;
    const path = paths.virtualService(target);
    const outcome = await patchObject(effects.connection, path, decision.patch, within);
    return outcome.kind === "written" ? { kind: "repaired", seq: decision.fence.seq } : null;
  });
}

/** Takes the base Service off the canary, if it had followed already, and makes follows that are under way fall. */
async function settleBase(effects: Effects, target: Target, request: LowerRequest): Promise<"settled" | null> {
  const base = await readBase(effects, target, urgent(effects));
  if (base === null || epochOf(base) > request.epoch) return "settled";
  const follows = liveVersionOf(base) === request.canary;
  if (!follows && base.metadata.annotations?.[shutAnnotation] === String(request.epoch)) return "settled";
  const selector: PatchOperation[] = follows
    ? [{ op: "replace", path: pointer("spec", "selector"), value: baseSelector(target.service, request.baseline) }]
    : [];
  const patch = [
    testVersion(base.metadata.resourceVersion),
    ...selector,
    ...setAnnotations(base.metadata.annotations, { [shutAnnotation]: String(request.epoch) }),
  ];
  const path = paths.baseServicePath(target);
  const outcome = await patchObject(effects.connection, path, patch, urgent(effects));
  return outcome.kind === "written" ? "settled" : null;
}

async function persist<T>(effects: Effects, deadline: number, attempt: () => Promise<T | null>): Promise<T> {
  let cause: unknown;
  for (let count = 1; count === 1 || effects.monotonicMs() < deadline; count += 1) {
    try {
      const result = await attempt();
      if (result !== null) return result;
    } catch (error) {
      if (error instanceof RegionRejected) throw error;
      cause = error;
    }
    await jitter(effects, count);
  }
  throw new RegionUnavailable(effects.connection.region, "could not be lowered before the deadline", { cause });
}
