import type { Clock, Instant } from "@slipway/kernel";
import type { KubeClient } from "../kube/client.ts";
import type { Images } from "./images.ts";
import type { memoryParent } from "./memory-group.ts";
import { type PodNetwork, type PodPlace, placeOf } from "./pod-place.ts";
import type { PodSpec } from "./pod-spec.ts";
import { type PodRuntime, type PodStatus, podStatus } from "./pod-status.ts";
import type { Reporter } from "./reporter.ts";
import { type PodState, writeState } from "./state-files.ts";
import { type Logger, podAnnotations } from "./types.ts";

/** What all pods of an agent share. */
export type AgentContext = {
  readonly dir: string;
  readonly region: string;
  readonly client: KubeClient;
  readonly images: Images;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** Ports given to pods of this agent. */
  readonly ports: Set<number>;
  readonly memory: ReturnType<typeof memoryParent>;
  readonly network: PodNetwork;
  /** Whether a pod can be the image's USER by a user namespace of its own. */
  readonly mapsUsers: boolean;
};

/**
 * Why a pod's worker ends: the pod is to go, its object is gone already, or the agent ends and leaves its processes running
 * or takes them along.
 */
export type Ending = "delete" | "gone" | "leave" | "shutdown";

/** One pod while a worker has it. */
export type LivePod = {
  readonly context: AgentContext;
  readonly reporter: Reporter;
  readonly ending: AbortSignal;
  pod: PodSpec;
  state: PodState;
  runtime: PodRuntime;
  status: PodStatus | null;
};

export function firstRuntime(state: PodState, now: Instant): PodRuntime {
  return {
    container: { kind: "waiting", reason: "ContainerCreating", message: "" },
    last: null,
    ready: false,
    notReady: "not started",
    restartCount: state.restartCount,
    imageId: state.imageId,
    startTime: (state.startedAt as Instant | null) ?? now,
  };
}

export function firstState(pod: PodSpec): PodState {
  return {
    uid: pod.uid,
    namespace: pod.namespace,
    name: pod.name,
    graceMs: pod.graceMs,
    restartCount: 0,
    failures: 0,
    startedAt: null,
    port: null,
    limits: null,
    imageId: null,
    process: null,
  };
}

/** Changes what is known of the pod and tells the API. */
export function note(live: LivePod, change: Partial<PodRuntime>): void {
  live.runtime = { ...live.runtime, ...change };
  const place = live.state.port === null ? undefined : placeOfPod(live, live.state.port);
  live.status = podStatus({ pod: live.pod, host: place?.host }, live.runtime, live.status, live.context.clock.now());
  const { limits } = live.state;
  const annotations = {
    [podAnnotations.network]: live.context.network.kind,
    ...(place === undefined ? {} : { [podAnnotations.port]: String(place.port) }),
    ...(limits === null ? {} : { [podAnnotations.limits]: limits }),
  };
  live.reporter.report({ annotations, status: live.status });
}

/** Where it listens that has this slot. */
export function placeOfPod({ context, pod }: LivePod, slot: number): PodPlace {
  return placeOf(context.network, pod, slot);
}

export async function save(live: LivePod, change: Partial<PodState>): Promise<void> {
  live.state = { ...live.state, ...change };
  await writeState(live.context.dir, live.state);
}
