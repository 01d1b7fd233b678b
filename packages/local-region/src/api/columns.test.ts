import { expect, test } from "vitest";
import { ageOf, columnsOf } from "./columns.ts";
import { pods } from "./resources.ts";
import type { Stored } from "./stored.ts";

const start = Date.parse("2026-01-01T00:00:00Z");

/** As k8s.io/apimachinery's duration.HumanDuration. */
test.each([
  [0, "0s"],
  [119, "119s"],
  [120, "2m"],
  [303, "5m3s"],
  [600, "10m"],
  [7_200, "120m"],
  [3 * 3_600 + 12 * 60, "3h12m"],
  [9 * 3_600, "9h"],
  [2 * 86_400 + 4 * 3_600, "2d4h"],
  [12 * 86_400, "12d"],
])("%i seconds are shown as %s", (seconds, shown) => {
  expect(ageOf("2026-01-01T00:00:00Z", start + seconds * 1_000)).toBe(shown);
});

test.each([
  ["a pod that waits", {}, { waiting: { reason: "CrashLoopBackOff" } }, "CrashLoopBackOff"],
  ["a pod that ended", {}, { terminated: { reason: "Error", exitCode: 1 } }, "Error"],
  ["a pod that ended without a reason", {}, { terminated: { exitCode: 3 } }, "ExitCode:3"],
  ["a pod that runs", {}, { running: {} }, "Running"],
  ["a pod that is to end", { deletionTimestamp: "2026-01-01T00:00:00Z" }, { running: {} }, "Terminating"],
])("%s", (_name, metadata, state, shown) => {
  const pod: Stored = {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: { name: "a", uid: "1", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
    status: { phase: "Running", containerStatuses: [{ state }] },
  };

  expect(
    columnsOf(pods)
      .find(({ name }) => name === "Status")
      ?.cell(pod, start),
  ).toBe(shown);
});
