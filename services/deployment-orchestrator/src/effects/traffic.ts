import type { Fence } from "@slipway/cluster";
import { getWatch, type WatchView } from "@slipway/contracts";
import type { Outcome } from "@slipway/durable";
import { msBetween, type RegionName } from "@slipway/kernel";
import type { Command } from "../domain/command.ts";
import type { Deployment, In, Plan } from "../domain/deployment.ts";
import { isProven } from "../domain/exposure.ts";
import type { Input } from "../domain/input.ts";
import { isHarm } from "../domain/phases/failing.ts";
import { isRaisedAlone } from "../domain/phases/going-back.ts";
import { pause } from "./pause.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

type Of<T extends Command["type"]> = Extract<Command, { type: T }>;

const heartbeatMs = 60_000;
const servedWithinMs = 5_000;
const servedPollMs = 100;

/** The fence is opened with what serves at this moment as the baseline: under the grant nobody else of ours changes it. */
export async function openFence(ports: Ports, command: Of<"OpenFence">, ctx: Context): Result {
  const { plan } = await currentState(ctx);
  const { region, epoch } = command;
  const cluster = await ports.regions.cluster(region);
  const { liveVersion } = await cluster.readTraffic(plan);
  const opened = (baseline: typeof liveVersion): Outcome<Input> => {
    return { kind: "fact", fact: (now) => ({ type: "FenceOpened", region, epoch, baseline, now }) };
  };
  // Nothing is opened for a version that serves already: it would be compared with itself. Only a way back may find that in one of its regions.
  if (liveVersion === plan.version && plan.rollsBack === null) return opened(liveVersion);
  const baseline = liveVersion === plan.version ? null : liveVersion;
  const answer = await cluster.openFence(plan, { epoch, deployment: plan.id, baseline });
  switch (answer.kind) {
    case "opened":
      return opened(baseline);
    case "stale":
      if (await isBehind(ports, plan, region, answer.fence)) return restored;
      return { kind: "fact", fact: (now) => ({ type: "FenceStale", region, epoch, found: answer.fence.holder, now }) };
    case "paused":
      return { kind: "retry", afterMs: 2_000, reason: `${region} is paused: ${answer.reason}` };
  }
}

/**
 * Raises the weight and waits until the mesh serves it. Whether it may is looked at again here: the machine must still be at this
 * step under this generation, the proof must still stand, and the watch must have looked within the last minute; a way back waits for no watch.
 */
export async function raiseWeight(ports: Ports, command: Of<"RaiseWeight">, ctx: Context): Result {
  const row = await ctx.current();
  if (row === undefined || !stillAsked(row.state, command) || row.generation !== ctx.generation)
    return { kind: "done" };
  const { plan } = row.state;
  const { region, epoch, step, percent } = command;
  const proven = command.proven && isProven(row.state, ports.clock.now());
  const heldBack = await watchHoldsBack(ports, row.state);
  if (heldBack !== undefined) return heldBack;
  const cluster = await ports.regions.cluster(region);
  const answer = await cluster.raise(plan, {
    epoch,
    deployment: plan.id,
    baseline: plan.baselines[region] ?? null,
    canary: plan.version,
    percent,
    from: command.from,
    exposure: { production: plan.production, proven },
  });
  if (answer.kind === "refused") {
    const { fence } = answer.traffic;
    if (answer.why === "stale" && fence !== null && (await isBehind(ports, plan, region, fence))) return restored;
    const found = { why: answer.why, percent: answer.traffic.weights[plan.version] ?? 0 };
    return { kind: "fact", fact: (now) => ({ type: "RaiseRefused", region, epoch, step, ...found, now }) };
  }
  await untilServed(ports, ctx, region, percent);
  return { kind: "fact", fact: (now) => ({ type: "WeightServed", region, epoch, step, percent, now }) };
}

/** A raise waits for a watch that looks, and for no evidence of harm; the way back to a verified version waits for nobody. */
async function watchHoldsBack(ports: Ports, state: Raised): Promise<Outcome<Input> | undefined> {
  const { id, rollsBack } = state.plan;
  if (rollsBack !== null || state.phase !== "raising") return undefined;
  const watch = await ports.client.call(getWatch, { params: { id } });
  const unwatched = unwatchedReason(ports, watch);
  if (unwatched !== undefined) return { kind: "retry", afterMs: 1_000, reason: unwatched };
  const { judgement, epochs } = watch;
  if (judgement === null || !isHarm(state, { judgement, epochs })) return undefined;
  return { kind: "fact", fact: (now) => ({ type: "Judged", judgement, epochs, now }) };
}

const restored = {
  kind: "retry",
  afterMs: 1_000,
  reason: "the region carries a newer grant than the database",
} as const;

/** A fence of a grant that this database never gave is no newer deployment: nothing is to be concluded from it, and it is noted. */
async function isBehind(ports: Ports, plan: Plan, region: RegionName, fence: Fence): Promise<boolean> {
  const { service, environment } = plan;
  await ports.behind.note(region, [{ target: { service, environment }, fence, weights: {} }], false);
  return (await ports.behind.observed(plan)).some((target) => target.region === region);
}

type Raised = In<"opening" | "preparing" | "raising">;

function stillAsked(state: Deployment, command: Of<"RaiseWeight">): state is Raised {
  if (isRaisedAlone(state, command.region)) return command.step === 0;
  return state.phase === "raising" && state.stage === "weighting" && state.step === command.step;
}

function unwatchedReason(ports: Ports, watch: WatchView): string | undefined {
  if (watch.state !== "watching") return `the watch is ${watch.state}`;
  const last = watch.last_look_at;
  if (last === null) return "the watch has not read every region yet";
  const age = msBetween(last, watch.as_of ?? ports.clock.now());
  return age > heartbeatMs ? `the watch has not looked for ${Math.round(age / 1_000)} s` : undefined;
}

/** Until the watch's source says that the mesh serves the weight; where it cannot say so, five seconds count as served. */
async function untilServed(ports: Ports, ctx: Context, region: string, percent: number): Promise<void> {
  const deadline = ports.clock.monotonicMs() + servedWithinMs;
  while (ports.clock.monotonicMs() < deadline && !ctx.signal.aborted) {
    const asked = { params: { id: ctx.id as never }, timeoutMs: servedWithinMs, signal: ctx.signal };
    const watch = await ports.client.call(getWatch, asked).catch(() => undefined);
    const served = watch?.regions[region]?.served_weight;
    if (served != null && served.percent >= percent) return;
    await pause(servedPollMs, ctx.signal);
  }
}

/** Traffic to the baseline, gate shut. A fence that this grant never opened carries nothing of it. */
export async function lowerWeight(ports: Ports, command: Of<"LowerWeight">, ctx: Context): Result {
  const { plan } = ctx.state;
  const { region, epoch } = command;
  const cluster = await ports.regions.cluster(region);
  const answer = await cluster.lower(plan, {
    epoch,
    deployment: plan.id,
    baseline: plan.baselines[region] ?? null,
    canary: plan.version,
  });
  const overtaken = answer.kind === "stale" && answer.fence.epoch > epoch;
  if (overtaken && (await isBehind(ports, plan, region, answer.fence))) return restored;
  return { kind: "fact", fact: (now) => ({ type: overtaken ? "LowerStale" : "Lowered", region, epoch, now }) };
}

export async function follow(ports: Ports, command: Of<"Follow">, ctx: Context): Result {
  const { plan } = await currentState(ctx);
  const { region, epoch, version } = command;
  if (version !== null) {
    const cluster = await ports.regions.cluster(region);
    const done = await cluster.follow(plan, { epoch, version });
    if (done.kind === "refused") return { kind: "retry", afterMs: 1_000, reason: done.detail };
    // On the way back a newer grant decides what is live; on the way up the loss of the lock will be told.
    if (done.kind === "stale" && version === plan.version)
      return { kind: "retry", afterMs: 1_000, reason: `a newer grant (epoch ${done.epoch}) holds the region` };
  }
  return { kind: "fact", fact: (now) => ({ type: "Followed", region, epoch, now }) };
}
