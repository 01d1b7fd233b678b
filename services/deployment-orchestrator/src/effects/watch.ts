import { getWatch, ProblemError, putWatch } from "@slipway/contracts";
import { msBetween } from "@slipway/kernel";
import type { Command } from "../domain/command.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

type Of<T extends Command["type"]> = Extract<Command, { type: T }>;

const silentAfterMs = 60_000;
/** What the way back gives the rollback-controller to answer. */
const wayBackMs = 2_000;

/** The answer of the rollback-controller is its acknowledgement: without it no weight is raised, but for the way back to a verified version, which waits for nobody. */
export async function armWatch(ports: Ports, command: Of<"ArmWatch">, ctx: Context): Result {
  const { plan } = await currentState(ctx);
  const { step, weightPercent, mode, epochs } = command;
  const { service, environment, version, baselines } = plan;
  const wayBack = plan.rollsBack !== null && mode === "initial";
  const asked = ports.client.call(putWatch, {
    ...(wayBack ? { timeoutMs: wayBackMs } : {}),
    params: { id: plan.id },
    body: {
      service,
      environment,
      version,
      mode,
      baselines: { ...baselines },
      epochs: { ...epochs },
      step,
      weight_percent: weightPercent,
      ...(command.until === undefined ? {} : { until: command.until }),
      ...(command.windowFrom === undefined ? {} : { window_from: command.windowFrom }),
    },
  });
  const armed: Awaited<Result> = { kind: "fact", fact: (now) => ({ type: "WatchArmed", step, now }) };
  if (wayBack && (await asked.catch(away)) === undefined) return armed;
  // A verified version that was replaced already is watched no longer, and need not be.
  const watch = await (mode === "verified" ? asked.catch(over) : asked);
  if (watch === undefined) return { kind: "done" };
  const { judgement } = watch;
  if (watch.state === "failed" && judgement !== null) {
    return { kind: "fact", fact: (now) => ({ type: "WatchFailed", judgement, epochs: watch.epochs, now }) };
  }
  return armed;
}

function away(error: unknown): undefined {
  if (error instanceof ProblemError && error.code === "unavailable") return undefined;
  throw error;
}

function over(error: unknown): undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === "watch.ended" || code === "watch.stale_epoch") return undefined;
  throw error;
}

/** Looks at the watch itself: a judgement whose event was late is taken from here, and silence is noticed. */
export async function checkWatch(ports: Ports, command: Of<"CheckWatch">, ctx: Context): Result {
  const state = await currentState(ctx);
  if ((state.phase !== "baking" && state.phase !== "held") || state.step !== command.step) return { kind: "done" };
  const { step } = command;
  const watch = await ports.client.call(getWatch, { params: { id: state.plan.id } }).catch(() => undefined);
  const since = watch === undefined ? null : (watch.last_look_at ?? state.watchedAt);
  if (watch?.last_look_at === null && msBetween(state.watchedAt, ports.clock.now()) <= silentAfterMs) {
    return { kind: "retry", afterMs: 5_000, reason: "the watch has not read every region yet" };
  }
  // The watch's times are of its own clock, which may be off.
  const now = (watch?.last_look_at === null ? undefined : watch?.as_of) ?? ports.clock.now();
  if (watch === undefined || since === null || msBetween(since, now) > silentAfterMs) {
    return { kind: "fact", fact: (now) => ({ type: "WatchSilent", step, since, now }) };
  }
  const { judgement, epochs } = watch;
  return { kind: "fact", fact: (now) => ({ type: "WatchSeen", step, judgement, epochs, now }) };
}
