import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Instant } from "@slipway/kernel";
import { healthyAfterMs, pullDelayMs, restartDelayMs, secretDelayMs } from "./back-off.ts";
import { adoptContainer, type Exit, type RunningContainer, startContainer } from "./container.ts";
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
import { makeMemoryGroup } from "./memory-group.ts";
import { finish, type Held } from "./pod-end.ts";
import type { PodSpec } from "./pod-spec.ts";
import { type PodStatus, type Terminated, wasReady } from "./pod-status.ts";
import { freePort } from "./ports.ts";
import { runProbes } from "./probes.ts";
import { createReporter } from "./reporter.ts";
import { readSecretEnv, type SecretEnv } from "./secret-env.ts";
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
  while (!live.ending.aborted) {
    held ??= await nextContainer(live);
    if (held === undefined) continue;
    const exit = await serve(live, held.running);
    if (exit === undefined) break;
    await recordExit(live, exit, held.group?.ranOutOfMemory() ?? false);
    held = undefined;
  }
  await finish(live, held);
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
  const image = await pull(live);
  if (image === undefined || ending.aborted) return undefined;
  const secrets = await secretsOf(live);
  if (secrets === undefined) return undefined;
  try {
    return await start(live, image, secrets);
  } catch (error) {
    await recordExit(live, { code: null, lost: false }, false, messageOf(error));
    return undefined;
  }
}

type Image = Awaited<ReturnType<AgentContext["images"]["get"]>>;

async function pull(live: LivePod): Promise<Image | undefined> {
  const { context, pod, ending } = live;
  for (let failures = 1; !ending.aborted; failures += 1) {
    try {
      return await context.images.get(pod.image, ending);
    } catch (error) {
      if (ending.aborted) return undefined;
      const reason = failures === 1 ? "ErrImagePull" : "ImagePullBackOff";
      waiting(live, reason, messageOf(error));
      context.log.warn({ pod: pod.name, image: pod.image, error: messageOf(error), failures }, "image was not pulled");
      await pauseOrEnd(pullDelayMs(failures), ending);
    }
  }
  return undefined;
}

/** Waits for the Secrets that the pod names, as a kubelet does: for ever, with the reason shown. Undefined when it has to end. */
async function secretsOf(live: LivePod): Promise<Readonly<Record<string, string>> | undefined> {
  const { context, pod, ending } = live;
  for (let failures = 1; !ending.aborted; failures += 1) {
    const read = await readSecretEnv(context.client, pod).catch((error: unknown): SecretEnv => {
      return { kind: "missing", why: `failed to read its secrets: ${messageOf(error)}` };
    });
    if (read.kind === "values") return read.env;
    waiting(live, "CreateContainerConfigError", read.why);
    if (failures === 1) context.log.warn({ pod: pod.name, why: read.why }, "pod waits for a secret");
    await pauseOrEnd(secretDelayMs(failures), ending);
  }
  return undefined;
}

async function start(live: LivePod, image: Image, secrets: Readonly<Record<string, string>>): Promise<Held> {
  const { context, pod, state } = live;
  if (state.port !== null) context.ports.delete(state.port);
  const port = await freePort(context.random, context.ports);
  context.ports.add(port);
  const { memory } = context;
  const group =
    memory === undefined || pod.memoryBytes === null ? undefined : makeMemoryGroup(memory, pod.uid, pod.memoryBytes);
  const again = state.startedAt !== null;
  await save(live, {
    port,
    limits: group === undefined ? "rlimit" : "cgroup",
    imageId: pod.image,
    startedAt: context.clock.now(),
    restartCount: state.restartCount + (again && state.failures > 0 ? 1 : 0),
    process: "starting",
  });
  const running = await startContainer({
    dir: context.dir,
    pod,
    secrets,
    image,
    slot: port,
    place: placeOfPod(live, port),
    groups: group === undefined ? [] : [group.procsFile],
    limitedByGroup: group !== undefined,
    mapsUsers: context.mapsUsers,
  });
  await save(live, { process: running.processes });
  context.log.info({ pod: pod.name, pid: running.processes.inner.pid, port }, "pod started");
  note(live, {
    container: { kind: "running", startedAt: startedAt(live) },
    ready: false,
    notReady: "",
    restartCount: live.state.restartCount,
    imageId: live.state.imageId,
  });
  return { running, group };
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

function waiting(live: LivePod, reason: string, message: string): void {
  note(live, { container: { kind: "waiting", reason, message }, ready: false, notReady: reason });
}

function startedAt(live: LivePod): Instant {
  return (live.state.startedAt as Instant | null) ?? live.context.clock.now();
}

async function pauseOrEnd(ms: number, ending: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: ending }).catch(() => undefined);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
