import type { Instant } from "@slipway/kernel";
import { z } from "zod";
import type { PodSpec } from "./pod-spec.ts";

export type Terminated = {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly startedAt: Instant;
  readonly finishedAt: Instant;
};

export type ContainerState =
  | { readonly kind: "waiting"; readonly reason: string; readonly message: string }
  | { readonly kind: "running"; readonly startedAt: Instant }
  | { readonly kind: "terminated"; readonly end: Terminated };

/** What the agent knows of a pod: everything that its status says. */
export type PodRuntime = {
  readonly container: ContainerState;
  readonly last: Terminated | null;
  readonly ready: boolean;
  /** Why not ready. */
  readonly notReady: string;
  readonly restartCount: number;
  readonly imageId: string | null;
  readonly startTime: Instant;
};

const Condition = z.object({
  type: z.string(),
  status: z.enum(["True", "False"]),
  lastTransitionTime: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
});
const Reported = z.looseObject({ status: z.looseObject({ conditions: z.array(Condition) }) });

type Condition = Readonly<z.infer<typeof Condition>>;

export type PodStatus = { readonly conditions: readonly Condition[] } & Readonly<Record<string, unknown>>;

/** The status that an earlier agent gave to a pod object; null where there is none. */
export function reportedStatus(object: unknown): PodStatus | null {
  const parsed = Reported.safeParse(object);
  return parsed.success ? parsed.data.status : null;
}

export function wasReady(status: PodStatus | null): boolean {
  return status?.conditions.some(({ type, status: holds }) => type === "Ready" && holds === "True") ?? false;
}

/** Kubernetes knows no fractions of a second here. */
const seconds = (at: Instant): string => `${at.slice(0, 19)}Z`;

const loopback = "127.0.0.1";

/**
 * The status object of a pod that listens on `host` (none yet: loopback). `previous` keeps the times of conditions that did not change. Pure.
 */
export function podStatus(
  { pod, host = loopback }: { readonly pod: PodSpec; readonly host?: string | undefined },
  runtime: PodRuntime,
  previous: PodStatus | null,
  now: Instant,
): PodStatus {
  const { container } = runtime;
  const condition = (type: string, holds: boolean, reason = "", message = ""): Condition => {
    const status = holds ? "True" : "False";
    const before = previous?.conditions.find((candidate) => candidate.type === type && candidate.status === status);
    const why = holds || reason === "" ? {} : { reason, message };
    return { type, status, lastTransitionTime: before?.lastTransitionTime ?? seconds(now), ...why };
  };
  const started = container.kind === "running";
  const unready = ["ContainersNotReady", runtime.notReady] as const;
  return {
    phase: phaseOf(pod, runtime),
    conditions: [
      condition("PodScheduled", true),
      condition("Initialized", true),
      condition("ContainersReady", runtime.ready, ...unready),
      condition("Ready", runtime.ready, ...unready),
    ],
    hostIP: loopback,
    hostIPs: [{ ip: loopback }],
    podIP: host,
    podIPs: [{ ip: host }],
    startTime: seconds(runtime.startTime),
    qosClass: pod.qosClass,
    containerStatuses: [
      {
        name: pod.container,
        image: pod.image,
        imageID: runtime.imageId ?? "",
        containerID: `slipway://${pod.uid}`,
        ready: runtime.ready,
        started,
        restartCount: runtime.restartCount,
        state: stateOf(container),
        lastState: runtime.last === null ? {} : { terminated: endOf(runtime.last) },
      },
    ],
  };
}

function phaseOf(pod: PodSpec, { container, restartCount }: PodRuntime): string {
  if (container.kind === "running") return "Running";
  if (container.kind === "waiting") return restartCount > 0 ? "Running" : "Pending";
  if (pod.restartPolicy === "Always") return "Running";
  return container.end.exitCode === 0 ? "Succeeded" : "Failed";
}

function stateOf(container: ContainerState): object {
  if (container.kind === "waiting") return { waiting: { reason: container.reason, message: container.message } };
  if (container.kind === "running") return { running: { startedAt: seconds(container.startedAt) } };
  return { terminated: endOf(container.end) };
}

function endOf(end: Terminated): object {
  const { exitCode, reason, message } = end;
  return { exitCode, reason, message, startedAt: seconds(end.startedAt), finishedAt: seconds(end.finishedAt) };
}
