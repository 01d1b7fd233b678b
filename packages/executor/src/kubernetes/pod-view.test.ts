import { expect, test } from "vitest";
import { defaultLimits } from "../limits.ts";
import { resultOfEnd, viewOfPod } from "./pod-view.ts";

const metadata = { name: "step-1-x", ownerReferences: [{ kind: "Job", uid: "a-job" }] };
const pod = (status: object, more: object = {}) => viewOfPod({ metadata: { ...metadata, ...more }, status });
const container = (state: object) => ({ containerStatuses: [{ name: "step", state }] });
/** As where a mesh put its own beside the step: the statuses are in no order of ours. */
const besides = (state: object, other: object) => ({
  containerStatuses: [
    { name: "istio-proxy", state: other },
    { name: "step", state },
  ],
});

test("a pod says what it waits for: a node, an image, or nothing yet", () => {
  const unschedulable = { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes" };

  expect(pod({ phase: "Pending" })).toMatchObject({ job: "a-job", kind: "waiting", why: "the pod is being started" });
  expect(pod({ phase: "Pending", conditions: [unschedulable] })).toMatchObject({ why: "Unschedulable: 0/3 nodes" });
  const waiting = { waiting: { reason: "ErrImagePull", message: "no such image" } };
  expect(pod({ phase: "Pending", ...container(waiting) })).toMatchObject({ why: "ErrImagePull: no such image" });
  const initContainerStatuses = [{ state: waiting }];
  expect(pod({ phase: "Pending", initContainerStatuses })).toMatchObject({ why: "ErrImagePull: no such image" });
  // As the kubelet says it: the others wait for the one that holds them all up.
  const initializing = container({ waiting: { reason: "PodInitializing" } });
  expect(pod({ phase: "Pending", initContainerStatuses, ...initializing })).toMatchObject({
    why: "ErrImagePull: no such image",
  });
  expect(pod({ phase: "Pending", ...initializing })).toMatchObject({ why: "PodInitializing" });
});

test("it is there to be called once it runs and has an address, and no longer once it is being deleted", () => {
  const running = { phase: "Running", podIP: "10.0.0.1", ...container({ running: {} }) };

  expect(pod(running)).toMatchObject({ kind: "running", address: "10.0.0.1" });
  expect(pod({ phase: "Running", ...container({ running: {} }) })).toMatchObject({ kind: "waiting" });
  expect(pod(running, { deletionTimestamp: "2026-01-01T00:00:00Z" })).toMatchObject({
    kind: "ended",
    reason: "somebody deleted it",
  });
});

test("what ended it is the step's own doing where it took too much, and else says nothing about the step", () => {
  const ended = (status: object) => {
    const view = pod({ phase: "Failed", ...status });
    return view?.kind === "ended" ? resultOfEnd(view, defaultLimits) : view;
  };

  expect(ended(container({ terminated: { exitCode: 137, reason: "OOMKilled" } }))).toMatchObject({
    outcome: "failed",
    reason: "used more than 1024 MiB of memory",
  });
  expect(ended({ reason: "Evicted", message: "Usage of EmptyDir volume exceeds the limit" })).toMatchObject({
    reason: expect.stringMatching(/^used more than 4096 MiB of disk/),
  });
  expect(ended({ reason: "Evicted", message: "The node was low on resource: memory" })).toBeUndefined();
  expect(ended(container({ terminated: { exitCode: 1, reason: "Error" } }))).toBeUndefined();
});

test("what is said of the pod is said of the step's own container, whatever was put beside it and is named first", () => {
  const at = { phase: "Running", podIP: "10.0.0.1" };
  const pulling = { waiting: { reason: "ErrImagePull", message: "no such image" } };
  const starting = { waiting: { reason: "ContainerCreating" } };

  expect(pod({ ...at, ...besides({ running: {} }, starting) })).toMatchObject({ kind: "running" });
  expect(pod({ ...at, ...besides(pulling, { running: {} }) })).toMatchObject({
    kind: "waiting",
    why: "ErrImagePull: no such image",
  });
  expect(pod({ phase: "Pending", ...besides({ running: {} }, pulling) })).toMatchObject({
    kind: "waiting",
    why: "ErrImagePull: no such image",
  });
  const tooMuch = { terminated: { exitCode: 137, reason: "OOMKilled" } };
  const ended = (status: object) => pod({ phase: "Failed", ...status });
  expect(ended(besides(tooMuch, { terminated: { exitCode: 0 } }))).toMatchObject({ reason: "OOMKilled" });
  // Of the one beside it: the step itself did not use too much.
  expect(ended(besides({ terminated: { exitCode: 0 } }, tooMuch))).toMatchObject({ reason: "it ended by itself" });
});

test("other pods are none of ours", () => {
  expect(viewOfPod({ metadata: { name: "other" }, status: { phase: "Running" } })).toBeUndefined();
});
