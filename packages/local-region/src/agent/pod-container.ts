import { setTimeout as pause } from "node:timers/promises";
import { pullDelayMs, secretDelayMs } from "./back-off.ts";
import { startContainer } from "./container.ts";
import { type AgentContext, type LivePod, note, placeOfPod, save } from "./live-pod.ts";
import { makeMemoryGroup } from "./memory-group.ts";
import type { Held } from "./pod-end.ts";
import type { PodSpec } from "./pod-spec.ts";
import { freePort } from "./ports.ts";
import { readSecretEnv, type SecretEnv } from "./secret-env.ts";

/** Pulls what one container of a pod needs and starts it. Undefined when the pod has to end before; throws when it does not start. */
export async function startOne(live: LivePod, spec: PodSpec): Promise<Held | undefined> {
  const image = await pull(live, spec);
  if (image === undefined || live.ending.aborted) return undefined;
  const secrets = await secretsOf(live, spec);
  if (secrets === undefined) return undefined;
  return start(live, spec, image, secrets);
}

type Image = Awaited<ReturnType<AgentContext["images"]["get"]>>;

async function pull(live: LivePod, pod: PodSpec): Promise<Image | undefined> {
  const { context, ending } = live;
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
async function secretsOf(live: LivePod, pod: PodSpec): Promise<Readonly<Record<string, string>> | undefined> {
  const { context, ending } = live;
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

async function start(
  live: LivePod,
  pod: PodSpec,
  image: Image,
  secrets: Readonly<Record<string, string>>,
): Promise<Held> {
  const { context, state } = live;
  // With it goes the account: the containers of a pod are one, so that each can write to what another has made.
  const kept = pod.init.length > 0 ? state.port : null;
  if (kept === null && state.port !== null) context.ports.delete(state.port);
  const port = kept ?? (await freePort(context.random, context.ports));
  context.ports.add(port);
  const { memory } = context;
  const group =
    memory === undefined || pod.memoryBytes === null
      ? undefined
      : makeMemoryGroup(memory, `${pod.uid}-${Date.parse(context.clock.now())}`, pod.memoryBytes);
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
  }).catch((error: unknown) => {
    group?.remove();
    throw error;
  });
  await save(live, { process: running.processes });
  const about = { pod: pod.name, container: pod.container, pid: running.processes.inner.pid, port };
  context.log.info(about, "pod started");
  return { running, group };
}

export function waiting(live: LivePod, reason: string, message: string): void {
  note(live, { container: { kind: "waiting", reason, message }, ready: false, notReady: reason });
}

export async function pauseOrEnd(ms: number, ending: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: ending }).catch(() => undefined);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
