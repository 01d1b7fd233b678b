import { z } from "zod";
import { bytesText } from "../limits.ts";
import type { Limits, StepResult } from "../types.ts";
import { Conditions } from "./conditions.ts";
import { container } from "./manifests.ts";

const State = z.looseObject({
  waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).nullish(),
  terminated: z
    .looseObject({ exitCode: z.number(), reason: z.string().nullish(), message: z.string().nullish() })
    .nullish(),
});
const Pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    ownerReferences: z.array(z.looseObject({ kind: z.string(), uid: z.string() })).nullish(),
    deletionTimestamp: z.string().nullish(),
  }),
  status: z
    .looseObject({
      phase: z.string().nullish(),
      podIP: z.string().nullish(),
      reason: z.string().nullish(),
      message: z.string().nullish(),
      conditions: Conditions,
      initContainerStatuses: z.array(z.looseObject({ state: State.nullish() })).nullish(),
      containerStatuses: z.array(z.looseObject({ name: z.string(), state: State.nullish() })).nullish(),
    })
    .nullish(),
});

/** What there is to know of a step's pod. `job`: the uid of its Job, since one that is made anew has the name of the one before. */
export type PodView = { readonly name: string; readonly job: string } & (
  | { readonly kind: "waiting"; readonly why: string }
  | { readonly kind: "running"; readonly address: string }
  | { readonly kind: "ended"; readonly reason: string; readonly message: string }
);

/** Undefined for what is no Job's pod. */
export function viewOfPod(object: unknown): PodView | undefined {
  const parsed = Pod.safeParse(object);
  const job = parsed.data?.metadata.ownerReferences?.find(({ kind }) => kind === "Job")?.uid;
  if (parsed.data === undefined || job === undefined) return undefined;
  const { metadata, status } = parsed.data;
  const about = { name: metadata.name, job };
  // By name: where a mesh or somebody else put containers beside it, the statuses are in no order of ours.
  const own = status?.containerStatuses?.find(({ name }) => name === container);
  const others = status?.containerStatuses?.filter(({ name }) => name !== container) ?? [];
  const inits = status?.initContainerStatuses ?? [];
  const ends = [own, ...inits].map((one) => one?.state?.terminated).find((end) => end != null && end.exitCode !== 0);
  const over = status?.phase === "Succeeded" || status?.phase === "Failed";
  if (over || metadata.deletionTimestamp != null) {
    const reason = status?.reason ?? ends?.reason ?? (over ? "it ended by itself" : "somebody deleted it");
    return { ...about, kind: "ended", reason, message: status?.message ?? ends?.message ?? "" };
  }
  if (status?.phase === "Running" && status.podIP != null && own?.state?.waiting == null)
    return { ...about, kind: "running", address: status.podIP };
  const scheduled = status?.conditions?.find(({ type, status: holds }) => type === "PodScheduled" && holds === "False");
  const waits = [own, ...inits, ...others].map((one) => one?.state?.waiting);
  // While those before it have not ended, the step's own container says that alone: what holds one of them is the reason.
  const waiting =
    waits.find((one) => one != null && one.reason !== "PodInitializing") ??
    waits.find((one) => one != null) ??
    scheduled;
  return { ...about, kind: "waiting", why: textOf(waiting?.reason, waiting?.message) };
}

function textOf(reason: string | null | undefined, message: string | null | undefined): string {
  const parts = [reason, message].filter((text) => text != null && text !== "");
  return parts.length === 0 ? "the pod is being started" : parts.join(": ");
}

/** What became of a step whose pod ended under it, or undefined where that says nothing about the step. */
export function resultOfEnd(pod: Extract<PodView, { kind: "ended" }>, limits: Limits): StepResult | undefined {
  const failed = (reason: string): StepResult => ({ outcome: "failed", exitCode: null, reason });
  if (pod.reason === "OOMKilled") return failed(`used more than ${bytesText(limits.memoryBytes)} of memory`);
  if (pod.reason === "Evicted" && /ephemeral|emptyDir/i.test(pod.message))
    return failed(`used more than ${bytesText(limits.diskBytes)} of disk (${pod.message})`);
  return undefined;
}
