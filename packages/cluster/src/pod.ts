import { z } from "zod";
import { appContainer } from "./workload.ts";

const Ended = z.looseObject({
  reason: z.string().optional(),
  exitCode: z.number().optional(),
});
const ContainerState = z.looseObject({
  running: z.looseObject({}).optional(),
  waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  terminated: Ended.optional(),
});

const ContainerStatus = z.looseObject({
  name: z.string(),
  ready: z.boolean().optional(),
  restartCount: z.number().optional(),
  state: ContainerState.optional(),
  lastState: ContainerState.optional(),
});
export type ContainerStatus = z.infer<typeof ContainerStatus>;

export const Pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.string().optional(),
  }),
  status: z
    .looseObject({
      phase: z.string().optional(),
      reason: z.string().optional(),
      message: z.string().optional(),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().optional() }))
        .optional(),
      initContainerStatuses: z.array(ContainerStatus).optional(),
      containerStatuses: z.array(ContainerStatus).optional(),
    })
    .optional(),
});
export type Pod = z.infer<typeof Pod>;
export const PodList = z.looseObject({ items: z.array(Pod) });

export function isReady(pod: Pod): boolean {
  const ready = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  return ready === true && pod.metadata.deletionTimestamp === undefined;
}

/** Of the version itself; sidecars have others beside it. */
export function ownStatus(pod: Pod): ContainerStatus | undefined {
  return pod.status?.containerStatuses?.find(({ name }) => name === appContainer);
}

/**
 * Whose state says why the pod is not ready: the version's own, unless that is ready or has not had its turn yet and one that a mesh or somebody
 * else put beside it is broken.
 */
export function unreadyContainer(pod: Pod): { readonly name: string; readonly status: ContainerStatus | undefined } {
  const own = ownStatus(pod);
  const waitsForOthers = own === undefined || own.ready === true || own.state?.waiting?.reason === initializing;
  const { initContainerStatuses: inits = [], containerStatuses: all = [] } = pod.status ?? {};
  const broken = [...inits, ...all].find((one) => one.name !== appContainer && isBroken(one));
  return waitsForOthers && broken !== undefined
    ? { name: broken.name, status: broken }
    : { name: appContainer, status: own };
}

const initializing = "PodInitializing";

function isBroken({ state }: ContainerStatus): boolean {
  const { waiting, terminated } = state ?? {};
  if (waiting !== undefined) return ![undefined, initializing, "ContainerCreating"].includes(waiting.reason);
  return terminated !== undefined && terminated.exitCode !== 0;
}

/** True once its process was started, whatever became of it. */
export function hasBegun(pod: Pod): boolean {
  const status = ownStatus(pod);
  const { running, terminated } = status?.state ?? {};
  return running !== undefined || terminated !== undefined || (status?.restartCount ?? 0) > 0;
}

/** Why a pod is not ready, in the region's own words, with how its container ended. What it printed last is told by its log. */
export function reasonOf(pod: Pod): string {
  const { name, status: container } = unreadyContainer(pod);
  const isOwn = name === appContainer;
  const state = container?.state;
  const condition = pod.status?.conditions?.find(({ type, status }) => type === "Ready" && status !== "True");
  const ended = state?.terminated ?? container?.lastState?.terminated;
  const words = [
    isOwn ? undefined : `its container ${name}`,
    state?.waiting?.reason ?? state?.terminated?.reason ?? pod.status?.reason ?? pod.status?.phase ?? "Pending",
    state?.waiting?.message ?? (state?.terminated === undefined ? condition?.message : undefined),
    ended === undefined ? undefined : endText(ended, isOwn),
    restartsText(container?.restartCount ?? 0),
    unheard.test(condition?.message ?? "") ? "nothing listens there: a service listens on $PORT" : undefined,
  ];
  const said = words.filter((word) => word !== undefined && word !== "").join(", ");
  // Messages of a region may have lines of their own.
  return `${pod.metadata.name}: ${said.replaceAll(/\s+/g, " ").trim()}`;
}

const unheard = /ECONNREFUSED|connection refused/i;

/** A pod that crashes in a loop runs, has ended or waits, as the moment has it: how often it was started again tells it from one that is slow. */
function restartsText(count: number): string | undefined {
  if (count === 0) return undefined;
  return count === 1 ? "restarted once" : `restarted ${count} times`;
}

function endText({ exitCode, reason }: z.infer<typeof Ended>, isOwn: boolean): string {
  if (exitCode === 0 && isOwn) return "exit code 0: it ended by itself, and a service keeps running";
  return exitCode === undefined ? (reason ?? "ended") : `exit code ${exitCode}`;
}
