import { describe, expect, it } from "vitest";
import { isSafeVariable, readPod, readQuantity } from "./pod-spec.ts";

function pod(container: object = {}, spec: object = {}, metadata: object = {}): object {
  return {
    metadata: { name: "orders-1", namespace: "prod", uid: "u-1", ...metadata },
    spec: { nodeName: "n1", containers: [{ name: "app", image: "host/app@sha256:0", ...container }], ...spec },
  };
}

describe("a pod object", () => {
  it("has the defaults of Kubernetes where it says nothing", () => {
    expect(readPod(pod())).toMatchObject({
      restartPolicy: "Always",
      graceMs: 30_000,
      deleting: false,
      readiness: null,
      unsupported: null,
      command: null,
    });
  });

  it("takes the grace of its deletion over that of its spec", () => {
    const deleting = { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 3 };

    expect(readPod(pod({}, { terminationGracePeriodSeconds: 60 }, deleting))).toMatchObject({
      deleting: true,
      graceMs: 3_000,
    });
  });

  it("says which part of it a local region cannot do", () => {
    const two = {
      containers: [
        { name: "a", image: "i" },
        { name: "b", image: "i" },
      ],
    };

    expect(readPod(pod({}, two)).unsupported).toMatch(/one container/);
    expect(readPod(pod({ volumeMounts: [{ name: "v", mountPath: "/v" }] })).unsupported).toMatch(
      /no volumes but emptyDir/,
    );
    expect(readPod(pod({ readinessProbe: { exec: { command: ["true"] } } })).unsupported).toMatch(/probes by/);
    expect(readPod(pod({ env: [{ name: "X", valueFrom: { fieldRef: {} } }] })).unsupported).toMatch(
      /valueFrom but secretKeyRef \(X\)/,
    );
    expect(readPod(pod({ env: [{ name: "LD_PRELOAD", value: "/x.so" }] })).unsupported).toMatch(/LD_PRELOAD/);
  });

  it("may have folders of its own, at the top level and whole", () => {
    const mounted = (mount: object, volume: object = { name: "work", emptyDir: {} }) =>
      readPod(pod({ volumeMounts: [{ name: "work", mountPath: "/work", ...mount }] }, { volumes: [volume] }));

    expect(mounted({})).toMatchObject({ unsupported: null, volumes: [{ volume: "work", path: "/work" }] });
    expect(mounted({}, { name: "work", hostPath: { path: "/etc" } }).unsupported).toMatch(/no volumes but emptyDir/);
    expect(mounted({ readOnly: true }).unsupported).toMatch(/whole and writable/);
    expect(mounted({ subPath: "a" }).unsupported).toMatch(/whole and writable/);
    for (const mountPath of ["/opt/deep", "/", "/..", "/proc", "/dev", "work"])
      expect(mounted({ mountPath }).unsupported).toMatch(/at the top level/);
    const odd = { name: "../work", emptyDir: {} };
    expect(mounted({ name: "../work" }, odd).unsupported).toMatch(/at the top level/);
  });

  it("may have containers that prepare it, whose parts are looked at as its own", () => {
    const init = (more: object) =>
      pod({}, { initContainers: [{ name: "prepare", image: "host/p@sha256:1", ...more }] });

    expect(readPod(init({ command: ["copy"] }))).toMatchObject({
      unsupported: null,
      init: [{ container: "prepare", image: "host/p@sha256:1", command: ["copy"] }],
    });
    expect(readPod(init({ restartPolicy: "Always" })).unsupported).toMatch(/no sidecars/);
    expect(readPod(init({ env: [{ name: "LD_PRELOAD", value: "/x.so" }] })).unsupported).toMatch(/LD_PRELOAD/);
  });

  it("is refused when its uid could name another folder", () => {
    expect(() => readPod(pod({}, {}, { uid: "../../etc" }))).toThrow();
  });

  it("reads seconds of probes as milliseconds", () => {
    const readinessProbe = {
      httpGet: { path: "/h", port: 8080 },
      periodSeconds: 2,
      timeoutSeconds: 3,
      failureThreshold: 5,
    };

    expect(readPod(pod({ readinessProbe })).readiness).toEqual({
      check: { kind: "http", path: "/h", headers: {} },
      initialDelayMs: 0,
      periodMs: 2_000,
      timeoutMs: 3_000,
      failureThreshold: 5,
      successThreshold: 1,
    });
  });
});

describe("variables that the tools outside of the pod would act on", () => {
  it.each([
    "LD_PRELOAD",
    "LD_AUDIT",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "BASH_ENV",
    "SHELLOPTS",
    "PS4",
    "IFS",
    "A=B",
    "a-b",
    "",
    "1A",
    "BASH_FUNC_x%%",
  ])("%j is refused", (name) => expect(isSafeVariable(name)).toBe(false));
  it.each(["PORT", "LOG_LEVEL", "ENV", "PATH", "NODE_OPTIONS", "_x", "DATABASE_URL"])("%j goes through", (name) =>
    expect(isSafeVariable(name)).toBe(true),
  );
});

describe("quantities", () => {
  it.each([
    ["128Mi", 134_217_728],
    ["1Gi", 1_073_741_824],
    ["500M", 500_000_000],
    ["250m", 0.25],
    ["1e3", 1_000],
    ["12", 12],
    [64, 64],
    ["lots", null],
    [undefined, null],
  ])("%j is %j", (text, value) => expect(readQuantity(text)).toBe(value));
});
