import { addMs, type DeploymentId, type Instant, type RegionName, type Step, step } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "../answers.ts";
import type { Command } from "../command.ts";
import { common, type Deployment, type Granted, type In, setRegion, setRegions } from "../deployment.ts";
import type { Input } from "../input.ts";
import {
  about,
  armWatch,
  beginStep,
  endUntouched,
  epochOf,
  holderOf,
  lookWhetherWritten,
  perRegion,
  publish,
  restore,
  stay,
} from "../moves.ts";
import { replicasAt, weightAt } from "../plan.ts";
import { onDrift, onDriftGone } from "./drifting.ts";
import { isFail } from "./failing.ts";

/**
 * The first step of a deployment's life: what `create` stores together with its row. `awaitImage`: its image may not be where its pods pull it from yet; nobody else
 * waits for a deployment that waits for that.
 */
export function firstCommands(state: In<"accepted">, awaitImage = false): readonly Command[] {
  const { strategy, requestedBy, baselines } = state.plan;
  return [
    ...(awaitImage ? [{ type: "AwaitImage" } as const] : []),
    acquire(state, null),
    publish({
      type: "deployment.accepted",
      data: { ...about(state), strategy, requested_by: requestedBy, baselines: { ...baselines } },
    }),
  ];
}

/** Asked again after a moment while somebody else holds a target; the place in the queue is kept by its ticket. */
function acquire(state: In<"accepted" | "queued">, at: Instant | null): Command {
  return { type: "AcquireLock", holder: holderOf(state), preempt: state.plan.rollsBack !== null, at };
}

const askAgainMs = 300;

export function onAccepted(state: In<"accepted">, input: Input): Answer {
  if (input.type === "LockWaiting") {
    const event = publish({ type: "deployment.queued", data: { ...about(state), behind: input.behind } });
    return step({ ...common(state), phase: "queued", behind: input.behind, since: input.now }, [
      event,
      acquire(state, addMs(input.now, askAgainMs)),
    ]);
  }
  if (input.type === "ImageMissing") return endUntouched(state, "failed", input.reason, input.now);
  return onUngranted(state, input);
}

export function onQueued(state: In<"queued">, input: Input): Answer {
  if (input.type === "LockWaiting")
    return step({ ...state, behind: input.behind }, [acquire(state, addMs(input.now, askAgainMs))]);
  return onUngranted(state, input);
}

function onUngranted(state: In<"accepted" | "queued">, input: Input): Answer {
  switch (input.type) {
    case "LockGranted":
      return open(state, input.epochs, input.now);
    case "VersionBanned":
      return endUntouched(state, "failed", bannedMeanwhile(state, input.by), input.now);
    case "Superseded":
      return endUntouched(state, "superseded", `${input.by} is newer and covers its regions`, input.now);
    case "LockLost":
      return endUntouched(state, "superseded", `${input.to} took its targets`, input.now);
    case "Rollback":
      return endUntouched(state, "cancelled", `${input.by}: ${input.reason}`, input.now);
    default:
      return ignoreFacts(state, input);
  }
}

function bannedMeanwhile({ plan }: In<"accepted" | "queued">, by: DeploymentId): string {
  return `${plan.version} was rolled back in ${plan.environment} meanwhile (${by}): deploy another version, or have an approver deploy this one again`;
}

function open(
  state: In<"accepted" | "queued">,
  epochs: Granted["epochs"],
  now: In<"opening">["since"],
): Step<Deployment, Command> {
  const regions = setRegions(state, { state: "opening" });
  const next: In<"opening"> = { ...common(state), regions, phase: "opening", epochs, opened: [], since: now };
  const granted = publish({ type: "deployment.granted", data: { ...about(state), epochs: { ...epochs } } });
  return step(next, [
    ...[granted, ...perRegion(next, (region, epoch): Command => ({ type: "OpenFence", region, epoch }))],
    ...(isWayBack(next) ? lookWhetherWritten(next, now) : []),
  ]);
}

export function onOpening(state: In<"opening">, input: Input): Answer {
  switch (input.type) {
    case "FenceOpened": {
      if (input.epoch !== epochOf(state, input.region) || state.opened.includes(input.region)) return stay(state);
      return onOpened(state, input);
    }
    case "FenceStale":
      if (input.epoch !== epochOf(state, input.region)) return stay(state);
      return restore(state, {
        reason: `${input.found} holds ${input.region}`,
        by: "slipway",
        outcome: "superseded",
        afterFull: false,
        now: input.now,
      });
    default:
      return onLeaving(state, input);
  }
}

/** A deployment that leads away from a verified version. */
export function isWayBack({ plan }: Pick<Deployment, "plan">): boolean {
  return plan.rollsBack !== null;
}

/**
 * What serves is known for certain only now: whoever was ahead in the queue may have brought another version to 100% since the request was
 * accepted. What is compared with and returned to from here on is what serves.
 */
function onOpened(state: In<"opening">, input: Extract<Input, { type: "FenceOpened" }>): Answer {
  const { region, baseline, now } = input;
  const next = noteOpened(state, input);
  if (baseline === state.plan.version && state.plan.rollsBack === null) return endNeedless(next, region, now);
  if (state.plan.initial && baseline !== null) {
    const reason = `${baseline} came to ${region} first: what is no first deployment needs its canary; deploy it again`;
    return restore(next, { reason, by: "slipway", outcome: "failed", afterFull: false, now });
  }
  return next.opened.length < next.plan.regions.length ? step(next) : prepare(next, now);
}

export function noteOpened(
  state: In<"opening">,
  { region, baseline }: Extract<Input, { type: "FenceOpened" }>,
): In<"opening"> {
  return {
    ...state,
    plan: { ...state.plan, baselines: { ...state.plan.baselines, [region]: baseline } },
    opened: [...state.opened, region],
    regions: setRegion(state.regions, region, { state: "preparing" }),
  };
}

/** Somebody ahead in the queue brought the same version to 100%: it cannot be tried against itself, and its pods are not ours to take away. */
function endNeedless(state: In<"opening">, region: RegionName, now: Instant): Step<Deployment, Command> {
  const { version } = state.plan;
  const reason = `${version} came to 100% in ${region} meanwhile: there is nothing to try there; deploy it to other regions by their names`;
  return endUntouched(state, "superseded", reason, now);
}

/** Every fence is open. Where pods were asked for already it is done once more: an earlier version did not before the last fence was open. */
export function prepare(state: In<"opening">, now: In<"preparing">["since"]): Step<Deployment, Command> {
  const next = preparing(state, now);
  const { baselines } = state.plan;
  return step(next, [
    publish({ type: "deployment.opened", data: { ...about(state), baselines: { ...baselines } } }),
    ...state.plan.regions.filter((region) => !next.ready.includes(region)).map((region) => prepareIn(next, region)),
  ]);
}

export function preparing(state: In<"opening">, now: In<"preparing">["since"]): In<"preparing"> {
  const ready = state.plan.regions.filter((region) => state.regions[region]?.state !== "preparing");
  return { ...common(state), phase: "preparing", epochs: state.epochs, ready, since: now };
}

export function prepareIn(state: In<"opening" | "preparing">, region: RegionName): Command {
  const replicas = replicasAt(state.plan.workload.replicas, weightAt(state.plan, 0));
  return { type: "PrepareWorkload", region, epoch: epochOf(state, region), step: 0, replicas };
}

export function onPreparing(state: In<"preparing">, input: Input): Answer {
  switch (input.type) {
    case "WorkloadReady": {
      if (input.epoch !== epochOf(state, input.region) || state.ready.includes(input.region)) return stay(state);
      const ready = [...state.ready, input.region];
      const next = {
        ...state,
        ready,
        regions: setRegion(state.regions, input.region, { state: "ready", reason: null }),
      };
      return step(next, ready.length === state.plan.regions.length ? [armWatch(next, 0)] : []);
    }
    case "WorkloadFailed":
      if (input.epoch !== epochOf(state, input.region)) return stay(state);
      return restore(withLines(state, input), {
        reason: `${input.region}: ${input.reason}`,
        by: "slipway",
        outcome: "failed",
        afterFull: false,
        now: input.now,
      });
    case "WatchArmed":
      return state.ready.length === state.plan.regions.length ? beginStep(state, 0, input.now) : stay(state);
    case "DriftSeen":
      return onDrift(state, input);
    case "DriftGone":
      return onDriftGone(state, input);
    default:
      return onLeaving(state, input);
  }
}

/** Kept with the region and told to those who ask; what a program prints is no text for events. */
export function withLines<S extends In<"preparing" | "raising">>(
  state: S,
  { region, lines = [], pods = [] }: Pick<Extract<Input, { type: "WorkloadFailed" }>, "region" | "lines" | "pods">,
): S {
  const told = { ...(lines.length > 0 ? { lastLines: lines } : {}), ...(pods.length > 0 ? { pods } : {}) };
  return { ...state, regions: setRegion(state.regions, region, told) };
}

/** What ends a deployment that holds its lock but has no weight yet. */
export function onLeaving(state: In<"opening" | "preparing" | "awaiting_approval">, input: Input): Answer {
  switch (input.type) {
    case "Rollback":
      return restore(state, {
        reason: input.reason,
        by: input.by,
        outcome: "cancelled",
        afterFull: false,
        now: input.now,
      });
    case "LockLost":
      return restore(state, {
        reason: `${input.to} took its targets`,
        by: "slipway",
        outcome: "superseded",
        afterFull: false,
        now: input.now,
      });
    case "WatchFailed":
      if (!isFail(state, input)) return stay(state);
      return restore(state, {
        reason: input.judgement.sentence,
        by: "rollback-controller",
        outcome: "failed",
        afterFull: false,
        now: input.now,
      });
    default:
      return ignoreFacts(state, input);
  }
}
