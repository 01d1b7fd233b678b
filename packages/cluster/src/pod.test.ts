import { expect, test } from "vitest";
import { Pod, reasonOf } from "./pod.ts";

const reason = (status: object) => reasonOf(Pod.parse({ metadata: { name: "orders-1" }, status }));
const unready = (message: string) => [{ type: "Ready", status: "False", message }];

test("a pod that crashes in a loop is quoted: its state, and how it ended", () => {
  const terminated = { reason: "Error", exitCode: 1 };
  const waiting = { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container=app" };

  expect(
    reason({ phase: "Running", containerStatuses: [{ name: "app", state: { waiting }, lastState: { terminated } }] }),
  ).toBe("orders-1: CrashLoopBackOff, back-off 10s restarting failed container=app, exit code 1");
});

test.each([
  ["runs again", { running: {} }, 1, "orders-1: Running, exit code 3, restarted once"],
  [
    "has just ended",
    { terminated: { reason: "Error", exitCode: 3 } },
    4,
    "orders-1: Error, exit code 3, restarted 4 times",
  ],
])("and so is one that %s at the moment, with how often it was restarted", (_how, state, restartCount, said) => {
  const lastState = { terminated: { reason: "Error", exitCode: 3 } };

  expect(reason({ phase: "Running", containerStatuses: [{ name: "app", state, lastState, restartCount }] })).toBe(said);
});

test("one that ends by itself is told that a service keeps running", () => {
  const waiting = { reason: "CrashLoopBackOff" };
  const lastState = { terminated: { reason: "Completed", exitCode: 0 } };

  expect(reason({ containerStatuses: [{ name: "app", state: { waiting }, lastState }] })).toBe(
    "orders-1: CrashLoopBackOff, exit code 0: it ended by itself, and a service keeps running",
  );
});

test("one that listens on another port is told which it was asked to", () => {
  const conditions = unready("Get http://127.0.0.1:40001/healthz: connect ECONNREFUSED 127.0.0.1:40001");

  expect(
    reason({ phase: "Running", conditions, containerStatuses: [{ name: "app", state: { running: {} } }] }),
  ).toMatch(/^orders-1: Running, Get http.*ECONNREFUSED.*, nothing listens there: a service listens on \$PORT$/);
});

test("one that answers its probe with an error says with which", () => {
  const conditions = unready("HTTP probe failed with statuscode: 503");

  expect(reason({ phase: "Running", conditions })).toBe("orders-1: Running, HTTP probe failed with statuscode: 503");
});

test("what a region says over several lines is one", () => {
  const waiting = { reason: "StartError", message: "unshare failed:\n  no such file\n" };

  expect(reason({ containerStatuses: [{ name: "app", state: { waiting } }] })).toBe(
    "orders-1: StartError, unshare failed: no such file",
  );
});

test("one whose image cannot be pulled or started says so", () => {
  const waiting = { reason: "ErrImagePull", message: "the image is for linux/arm64, this machine is linux/amd64" };

  expect(reason({ phase: "Pending", containerStatuses: [{ name: "app", state: { waiting } }] })).toBe(
    "orders-1: ErrImagePull, the image is for linux/arm64, this machine is linux/amd64",
  );
});

test("one whose network is not prepared names the container that fails at it", () => {
  const waiting = { reason: "PodInitializing" };
  const terminated = { reason: "Error", exitCode: 255 };
  const initContainerStatuses = [{ name: "istio-init", restartCount: 2, state: { terminated } }];

  expect(
    reason({ phase: "Pending", initContainerStatuses, containerStatuses: [{ name: "app", state: { waiting } }] }),
  ).toBe("orders-1: its container istio-init, Error, exit code 255, restarted 2 times");
});

test("one that fails by itself is told by its own words, whatever becomes of those beside it", () => {
  const looping = (reason: string) => ({ waiting: { reason } });
  const containerStatuses = [
    { name: "agent", state: looping("ImagePullBackOff") },
    { name: "app", ready: false, state: looping("CrashLoopBackOff") },
  ];
  const ready = { name: "app", ready: true, state: { running: {} } };

  expect(reason({ containerStatuses })).toBe("orders-1: CrashLoopBackOff");
  expect(reason({ containerStatuses: [containerStatuses[0], ready] })).toBe(
    "orders-1: its container agent, ImagePullBackOff",
  );
});
