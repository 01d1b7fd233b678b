import type { Counts } from "@slipway/contracts";
import { addMs, type DeploymentId, type Instant, type Step, step } from "@slipway/kernel";
import type { Command, DeploymentEvent } from "./command.ts";
import {
  type Common,
  common,
  type Deployment,
  type Ended,
  type Gate,
  type Granted,
  type HeldUntil,
  type In,
  type Restoring,
  setRegion,
  setRegions,
} from "./deployment.ts";
import { mayExpose } from "./exposure.ts";
import { replicasAt, weightAt } from "./plan.ts";

export type Decision = Step<Deployment, Command>;

export function stay(state: Deployment): Decision {
  return step(state);
}

/** Facts of a deployment that every event about it carries. */
export function about(state: Common) {
  const { id, service, environment, version, digest, gitSha, regions } = state.plan;
  return { deployment_id: id, service, environment, version, digest, git_sha: gitSha, regions: [...regions] };
}

export function publish(event: DeploymentEvent): Command {
  return { type: "Publish", event };
}

export function holderOf(state: Common): string {
  return state.plan.id;
}

/** A second claim on the same targets, made to take a version back after the first claim was returned. */
export function restoreHolderOf(state: Common): string {
  return `${state.plan.id}/restore`;
}

/** The deepest evidence rule: a canary is held until a PASS, and drained when none came within a day. */
const evidenceDeadlineMs = 24 * 3_600_000;
const watchCheckMs = 5_000;
/** So long what takes a version back may wait for a region's API before somebody is told: one that is restarted answers long before. */
const writtenWithinMs = 120_000;

/** Begins a step: first its size, then its watch, then its weight; or waits for the approval that its weight needs. */
export function beginStep(state: Common & Granted, index: number, now: Instant): Decision {
  const target = state.plan.steps[index];
  if (target === undefined) return beginFinish(state, now);
  const exposure = mayExpose(state, target.weightPercent, now);
  const carried = {
    plan: state.plan,
    gates: state.gates,
    approval: state.approval,
    regions: state.regions,
    epochs: state.epochs,
  };
  if (!exposure.allowed) return awaitApproval(state, index, exposure.why, now);
  const replicas = replicasAt(state.plan.workload.replicas, target.weightPercent);
  return step(
    { phase: "raising", ...carried, step: index, stage: "scaling", done: [], since: now },
    perRegion(state, (region, epoch) => ({ type: "PrepareWorkload", region, epoch, step: index, replicas })),
  );
}

export function awaitApproval(state: Common & Granted, index: number, why: string, now: Instant): Decision {
  const { plan, gates, approval, regions, epochs } = state;
  const event = publish({ type: "deployment.approval_requested", data: { ...about(state), reason: why } });
  return step({ phase: "awaiting_approval", plan, gates, approval, regions, epochs, step: index, since: now }, [event]);
}

export function armWatch(state: Common & Granted, index: number): Extract<Command, { type: "ArmWatch" }> {
  const weightPercent = weightAt(state.plan, index);
  const mode = state.plan.initial || state.plan.rollsBack !== null ? "initial" : "canary";
  return { type: "ArmWatch", step: index, weightPercent, mode, epochs: state.epochs };
}

export function raiseAll(state: In<"raising">, now: Instant): readonly Command[] {
  return perRegion(state, (region) => raiseCommand(state, region, now, null));
}

export function raiseCommand(state: In<"raising">, region: string, now: Instant, at: Instant | null) {
  const percent = weightAt(state.plan, state.step);
  const exposure = mayExpose(state, percent, now);
  return {
    type: "RaiseWeight" as const,
    region: region as In<"raising">["plan"]["regions"][number],
    epoch: epochOf(state, region),
    step: state.step,
    percent,
    from: state.regions[region]?.weightPercent ?? 0,
    proven: exposure.allowed && exposure.proven,
    at,
  };
}

/** The next look at the watch itself, a few seconds from now. */
export function checkWatch(state: { readonly step: number }, now: Instant): Command {
  return { type: "CheckWatch", step: state.step, at: addMs(now, watchCheckMs) };
}

/** Asks for the evidence that this bake waits for. */
export function armBake(state: In<"baking">): Command {
  return { ...armWatch(state, state.step), windowFrom: state.since };
}

/** All regions serve the new weight: the bake begins now, and with it the window of its evidence. */
export function beginBake(state: In<"raising">, now: Instant): Decision {
  const target = state.plan.steps[state.step];
  const until = addMs(now, target?.bakeMs ?? 0);
  const { done: _done, stage: _stage, ...kept } = state;
  const begun = { since: now, until, promotedBy: null, latest: null, watchedAt: now };
  const baking: In<"baking"> = { ...kept, phase: "baking", ...begun };
  return step(baking, [
    armBake(baking),
    { type: "WakeAt", at: until, purpose: "bake" },
    { type: "WakeAt", at: addMs(now, evidenceDeadlineMs), purpose: "evidence" },
    checkWatch(state, now),
    publish({
      type: "deployment.step_started",
      data: { ...about(state), step: state.step, weight_percent: target?.weightPercent ?? 0 },
    }),
  ]);
}

/** 100% has passed everywhere: the base Service follows, then it settles. */
export function beginFinish(state: Common & Granted, now: Instant): Decision {
  const carried = {
    plan: state.plan,
    gates: state.gates,
    approval: state.approval,
    regions: state.regions,
    epochs: state.epochs,
  };
  return step({ phase: "finishing", ...carried, followed: [], settled: false, since: now }, [
    ...perRegion(state, (region, epoch): Command => ({ type: "Follow", region, epoch, version: state.plan.version })),
    { type: "WakeAt", at: addMs(now, state.plan.settleMs), purpose: "settle" },
  ]);
}

export function hold(
  state: In<"raising" | "baking" | "awaiting_approval">,
  { now, ...reason }: { why: string; by: string; unblockedBy: string; halted?: true; until?: HeldUntil; now: Instant },
): Decision {
  const { plan, gates, approval, regions, epochs } = state;
  const held: In<"held"> = {
    ...{ phase: "held", plan, gates, approval, regions, epochs, step: state.step, ...reason, since: now },
    watchedAt: state.phase === "baking" ? state.watchedAt : now,
  };
  const event = publish({ type: "deployment.held", data: { ...about(state), reason: reason.why } });
  return { ...step<Deployment, Command>(held, [event, checkWatch(state, now)]), supersedes: true };
}

/** What a person's halt says of what it holds. */
export function haltOf({ by, reason }: { readonly by: string; readonly reason: string }) {
  return { why: reason, by, unblockedBy: "a person resumes it", halted: true } as const;
}

/**
 * Takes the version back: weights first, in every region at once, in a lane of their own; older commands become void.
 * After 100% the lock has gone back and the base Service has moved: the lock is taken again with preemption.
 */
export function restore(
  state: Common & Partial<Granted>,
  options: { reason: string; by: string; outcome: Restoring["outcome"]; afterFull: boolean; now: Instant },
): Decision {
  const { reason, by, outcome, afterFull, now } = options;
  const epochs = state.epochs ?? {};
  const regions = setRegions(state, { state: "lowering" });
  const next: Deployment = {
    phase: "restoring",
    plan: state.plan,
    gates: state.gates,
    approval: state.approval,
    regions,
    epochs,
    reason,
    by,
    outcome,
    relock: afterFull ? "waiting" : "not_needed",
    since: now,
  };
  const lower = perRegion({ ...next, epochs }, (region, epoch): Command => ({ type: "LowerWeight", region, epoch }));
  const relock: Command[] = afterFull
    ? [{ type: "AcquireLock", holder: restoreHolderOf(state), preempt: true, at: null }]
    : [];
  const event = publish({ type: "deployment.restoring", data: { ...about(state), reason, by } });
  const looks = lookWhetherWritten({ ...next, epochs }, now);
  return { ...step<Deployment, Command>(next, [...lower, ...relock, event, ...looks]), supersedes: true };
}

/** Asks, a while from now, whether what takes a version back was written in each region. */
export function lookWhetherWritten(state: Common & Granted, now: Instant): readonly Command[] {
  const at = addMs(now, writtenWithinMs);
  return perRegion(state, (region): Command => ({ type: "WakeAt", at, purpose: "region", region }));
}

/** Nothing of it ever reached a region: it just ends. */
export function endUntouched(
  state: Common,
  outcome: "cancelled" | "failed" | "superseded",
  reason: string,
  now: Instant,
): Decision {
  return end(state, { outcome, reason, now, hadWeight: false, release: [holderOf(state)] });
}

export function end(
  state: Common,
  options: {
    outcome: Restoring["outcome"];
    reason: string;
    now: Instant;
    hadWeight: boolean;
    since?: Instant;
    release: readonly string[];
  },
): Decision {
  const { outcome, reason, now, hadWeight, since, release } = options;
  const ended: Ended = { reason, at: now, hadWeight, ...(since === undefined ? {} : { since }) };
  const next: Deployment = { phase: outcome, ...pickCommon(state), ...ended };
  return {
    ...step<Deployment, Command>(next, [
      ...release.map((holder): Command => ({ type: "ReleaseLock", holder })),
      publish({ type: `deployment.${outcome}`, data: { ...about(state), reason } }),
    ]),
    supersedes: true,
  };
}

/** Found bad by somebody, where this deployment does not take its version back: `wayBack` leads away from it, or why nothing does. */
export function foundBad(
  state: Common,
  { reason, by }: { readonly reason: string; readonly by: string },
  led: { readonly wayBack: DeploymentId } | { readonly noWayBack: string },
): DeploymentEvent {
  const way = "wayBack" in led ? { way_back: led.wayBack } : { way_back: null, no_way_back: led.noWayBack };
  return { type: "deployment.found_bad", data: { ...about(state), reason, by, ...way } };
}

export function recordGate(state: In<"baking">, gate: Gate): In<"baking"> {
  return { ...state, gates: [...state.gates, gate] };
}

export function gateEvent(state: Common, gate: Gate): Command {
  const { step: index, weightPercent, verdict, sentence } = gate;
  const counts: Counts = gate.counts;
  return publish({
    type: "deployment.gate",
    data: { ...about(state), step: index, weight_percent: weightPercent, verdict, counts, sentence },
  });
}

export function perRegion(
  state: Common & Granted,
  make: (region: Common["plan"]["regions"][number], epoch: Granted["epochs"][string]) => Command,
): Command[] {
  const granted = state.plan.regions.filter((region) => state.epochs[region] !== undefined);
  return granted.map((region) => make(region, epochOf(state, region)));
}

export function epochOf(state: Granted, region: string): Granted["epochs"][string] {
  const epoch = state.epochs[region];
  if (epoch === undefined) throw new Error(`no epoch for ${region}`);
  return epoch;
}

/** It ends where it is: what it held and knew is void, and nothing more is written under its grant. */
export function voided(state: Deployment, input: { by: string; reason: string; now: Instant }): Decision {
  const relocked = state.phase === "restoring" && state.relock !== "not_needed";
  const release = relocked ? [holderOf(state), restoreHolderOf(state)] : [holderOf(state)];
  const hadWeight = Object.values(state.regions).some((region) => region.weightPercent > 0);
  return end(state, { outcome: "superseded", reason: input.reason, now: input.now, hadWeight, release });
}

export function withRegion<S extends Deployment>(state: S, region: string, change: Parameters<typeof setRegion>[2]): S {
  return { ...state, regions: setRegion(state.regions, region, change) };
}

function pickCommon(state: Common): Common {
  return common(state as Deployment);
}
