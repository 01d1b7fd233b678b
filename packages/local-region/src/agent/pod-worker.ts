import { once } from "node:events";
import type { Instant } from "@slipway/kernel";
import { healthyAfterMs, restartDelayMs } from "./back-off.ts";
import { adoptContainer, type Exit, type RunningContainer } from "./container.ts";
import {
  type AgentContext,
  type Ending,
  firstRuntime,
  firstState,
  type LivePod,
  note,
  placeOfPod,
  save,
} from "./live-pod.ts";
import { lastWords } from "./logs.ts";
import type { MemoryGroup } from "./memory-group.ts";
import { messageOf, pauseOrEnd, startOne, waiting } from "./pod-container.ts";
import { finish, type Held } from "./pod-end.ts";
import type { ContainerSpec, PodSpec } from "./pod-spec.ts";
import { type PodStatus, type Terminated, wasReady } from "./pod-status.ts";
import { runProbes } from "./probes.ts";
import { createReporter } from "./reporter.ts";
import type { PodState } from "./state-files.ts";

export type PodWorker = {
  /** The pod object changed. Only its deletion matters: the rest of a pod is fixed when it is made. */
  update(pod: PodSpec): void;
  end(ending: Ending): void;
  /** Never rejects. */
  readonly done: Promise<void>;
};

const killedCode = 137;
const lostCode = 255;

/** Has one pod until it is deleted or the agent ends. `saved` = what an earlier agent wrote down. */
export function workOn(
  context: AgentContext,
  pod: PodSpec,
  saved: PodState | undefined,
  reported: PodStatus | null,
): PodWorker {
  const ending = new AbortController();
  const state = saved ?? firstState(pod);
  const live: LivePod = {
    context,
    reporter: createReporter(context.client, pod, context.log),
    ending: ending.signal,
    pod,
    state,
    runtime: firstRuntime(state, context.clock.now()),
    status: reported,
  };
  if (state.port !== null) context.ports.add(state.port);
  if (pod.deleting) ending.abort("delete" satisfies Ending);
  const done = liveAndEnd(live).catch((error: unknown) => {
    context.log.error({ pod: pod.name, error: messageOf(error) }, "pod worker failed");
  });
  return {
    update(next) {
      if (!next.deleting) return;
      live.pod = next;
      ending.abort("delete" satisfies Ending);
    },
    end: (why) => ending.abort(why),
    done,
  };
}

async function liveAndEnd(live: LivePod): Promise<void> {
  let held = await adopt(live);
  let spent: readonly MemoryGroup[] = [];
  while (!live.ending.aborted) {
    held ??= await nextContainer(live);
    if (held === undefined) continue;
    const exit = await serve(live, held.running);
    if (exit === undefined) break;
    await recordExit(live, exit, held.group?.ranOutOfMemory() ?? false);
    spent = [...spent, ...(held.group === undefined ? [] : [held.group])].filter((group) => !group.remove());
    held = undefined;
  }
  await finish(live, held);
  for (const group of spent) group.remove();
}

async function adopt(live: LivePod): Promise<Held | undefined> {
  const { context, state } = live;
  if (state.process === null) return undefined;
  const running = await adoptContainer(context.dir, state.uid, state.process);
  if (running === undefined) {
    await recordExit(live, { code: null, lost: true }, false);
    return undefined;
  }
  context.log.info({ pod: state.name, pid: running.processes.inner.pid }, "pod adopted");
  await save(live, { process: running.processes });
  // Ready as it was, until its probe says otherwise: a new agent is no reason to take it out of the routes.
  note(live, { container: { kind: "running", startedAt: startedAt(live) }, ready: wasReady(live.status) });
  return { running, group: undefined };
}

/** Waits as long as it must and starts the container. Undefined when it did not start, or never will. */
async function nextContainer(live: LivePod): Promise<Held | undefined> {
  const { pod, ending } = live;
  const { container } = live.runtime;
  const ended = container.kind === "terminated" ? container.end : undefined;
  const finished = pod.restartPolicy === "Never" || (pod.restartPolicy === "OnFailure" && ended?.exitCode === 0);
  if (pod.unsupported !== null || (ended !== undefined && finished)) {
    if (pod.unsupported !== null) waiting(live, "CreateContainerConfigError", pod.unsupported);
    await aborted(ending);
    return undefined;
  }
  const delayMs = restartDelayMs(live.state.failures);
  if (delayMs > 0) {
    waiting(live, "CrashLoopBackOff", `back-off ${delayMs / 1_000}s restarting failed container=${pod.container}`);
    await pauseOrEnd(delayMs, ending);
  }
  try {
    for (const init of pod.init) if (!(await prepare(live, init))) return undefined;
    const held = await startOne(live, pod);
    if (held !== undefined) noteRunning(live);
    return held;
  } catch (error) {
    await recordExit(live, { code: null, lost: false }, false, messageOf(error));
    return undefined;
  }
}

function noteRunning(live: LivePod): void {
  note(live, {
    container: { kind: "running", startedAt: startedAt(live) },
    ready: false,
    notReady: "",
    restartCount: live.state.restartCount,
    imageId: live.state.imageId,
  });
}

/** Runs a container that prepares the pod, to its end; false where the pod does not go on. One that fails ends the pod as its own would. */
async function prepare(live: LivePod, init: ContainerSpec): Promise<boolean> {
  const { ending } = live;
  waiting(live, "PodInitializing", "");
  const held = await startOne(live, { ...live.pod, ...init });
  if (held === undefined) return false;
  const exit = await Promise.race([held.running.exited, aborted(ending)]);
  if (exit === undefined) await held.running.terminate(live.pod.graceMs);
  else if (exit.code !== 0) await recordExit(live, exit, held.group?.ranOutOfMemory() ?? false);
  else await save(live, { process: null });
  held.group?.remove();
  return exit?.code === 0;
}

/** Probes until the container ends (its exit) or the worker must (undefined). */
async function serve(live: LivePod, running: RunningContainer): Promise<Exit | undefined> {
  const { ending } = live;
  const probes = new AbortController();
  const signal = AbortSignal.any([probes.signal, ending]);
  const place = placeOfPod(live, live.state.port ?? 0);
  const probing = runProbes(live, running, place, signal);
  const exit = await Promise.race([running.exited, aborted(signal)]);
  probes.abort();
  await probing;
  return exit;
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, "abort");
  return undefined;
}

async function recordExit(live: LivePod, exit: Exit, outOfMemory: boolean, startError?: string): Promise<void> {
  const { context } = live;
  const words = exit.code === 0 ? "" : await lastWords(context.dir, live.state.uid);
  const end: Terminated = {
    // unshare(1) of util-linux 2.38 answers 1 for a child that SIGKILL ended.
    exitCode: outOfMemory ? killedCode : (exit.code ?? lostCode),
    reason: reasonOf(exit, outOfMemory, startError),
    message: startError ?? (exit.lost ? "ended while no agent was watching: the exit status is not known" : words),
    startedAt: startedAt(live),
    finishedAt: context.clock.now(),
  };
  const ranMs = Date.parse(end.finishedAt) - Date.parse(end.startedAt);
  const failures = ranMs >= healthyAfterMs ? 1 : live.state.failures + 1;
  context.log.warn({ pod: live.state.name, exitCode: end.exitCode, reason: end.reason, failures }, "container ended");
  note(live, { container: { kind: "terminated", end }, last: end, ready: false, notReady: "the container ended" });
  await save(live, { process: null, failures });
}

function reasonOf(exit: Exit, outOfMemory: boolean, startError: string | undefined): string {
  if (startError !== undefined) return "StartError";
  if (outOfMemory) return "OOMKilled";
  return exit.code === 0 ? "Completed" : "Error";
}

function startedAt(live: LivePod): Instant {
  return (live.state.startedAt as Instant | null) ?? live.context.clock.now();
}
