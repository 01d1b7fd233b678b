import type { Instant } from "@slipway/kernel";
import { describe, expect, it } from "vitest";
import { readPod } from "./pod-spec.ts";
import { type PodRuntime, podStatus, reportedStatus, wasReady } from "./pod-status.ts";

const at = (second: number) => `2026-01-05T09:00:0${second}.123Z` as Instant;
const spec = (restartPolicy = "Always") =>
  readPod({
    metadata: { name: "a", namespace: "prod", uid: "u" },
    spec: { restartPolicy, containers: [{ name: "app", image: "i" }] },
  });
const end = { exitCode: 3, reason: "Error", message: "", startedAt: at(1), finishedAt: at(2) };
const runtime: PodRuntime = {
  container: { kind: "running", startedAt: at(1) },
  last: null,
  ready: true,
  notReady: "",
  restartCount: 0,
  imageId: null,
  startTime: at(0),
};

describe("the status of a pod", () => {
  it("keeps the time of a condition until the condition changes", () => {
    const first = podStatus({ pod: spec() }, runtime, null, at(1));
    const same = podStatus({ pod: spec() }, runtime, first, at(2));
    const other = podStatus({ pod: spec() }, { ...runtime, ready: false, notReady: "gone" }, same, at(3));
    const ready = (status: typeof first) => status.conditions.find(({ type }) => type === "Ready");

    expect(ready(same)?.lastTransitionTime).toBe("2026-01-05T09:00:01Z");
    expect(ready(other)).toEqual({
      type: "Ready",
      status: "False",
      lastTransitionTime: "2026-01-05T09:00:03Z",
      reason: "ContainersNotReady",
      message: "gone",
    });
  });

  it.each([
    [{ kind: "waiting", reason: "ContainerCreating", message: "" }, "Always", 0, "Pending"],
    [{ kind: "waiting", reason: "CrashLoopBackOff", message: "" }, "Always", 2, "Running"],
    [{ kind: "running", startedAt: at(1) }, "Always", 0, "Running"],
    [{ kind: "terminated", end }, "Always", 0, "Running"],
    [{ kind: "terminated", end }, "Never", 0, "Failed"],
    [{ kind: "terminated", end: { ...end, exitCode: 0 } }, "Never", 0, "Succeeded"],
  ] as const)(
    "of a container that is %j under %s after %i restarts has its phase",
    (container, policy, restartCount, phase) => {
      expect(podStatus({ pod: spec(policy) }, { ...runtime, container, restartCount }, null, at(3))).toMatchObject({
        phase,
      });
    },
  );

  it("is read back from the object that it was written to", () => {
    const status = podStatus({ pod: spec() }, runtime, null, at(1));

    expect(wasReady(reportedStatus({ status }))).toBe(true);
    expect(wasReady(reportedStatus({ status: {} }))).toBe(false);
    expect(wasReady(reportedStatus(undefined))).toBe(false);
  });
});
