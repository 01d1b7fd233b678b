import { RegionRejected, type Target } from "@slipway/cluster";
import type { Epoch } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { type ClusterStage, type ClusterWorld, grant, istio, manifest, mergePatch, v1, v2 } from "./cluster-stage.ts";
import { until } from "./until.ts";

/** Workloads from their creation to their end. */
export function workloadContract(world: () => ClusterWorld, stage: ClusterStage): void {
  const { freshTarget, addReadyPod, canaryUnderWay, toV2, backToV1 } = stage;

  describe("workloads", () => {
    test("are a Deployment, a Service and a DestinationRule named after the version", async () => {
      const target = freshTarget();

      await world().region.ensureWorkload(target, manifest(target, v1, 3), grant(7));

      const objects = [
        `/apis/apps/v1/namespaces/${target.environment}/deployments/${v1}`,
        `/api/v1/namespaces/${target.environment}/services/${v1}`,
        `${istio}/namespaces/${target.environment}/destinationrules/${v1}`,
      ];
      for (const path of objects) {
        expect(await world().api("GET", path)).toMatchObject({
          metadata: {
            labels: { app: "orders", version: v1, "slipway.dev/service": "orders", "slipway.dev/version": v1 },
            annotations: { "slipway.dev/epoch": "7", "slipway.dev/commit": "1111111" },
          },
        });
      }
      expect(await world().region.readWorkload(target, v1)).toMatchObject({ desired: 3, ready: 0 });
      expect(await world().region.listWorkloads(target)).toMatchObject([{ version: v1, epoch: 7, desired: 3 }]);
      expect(await world().region.readWorkload(target, v2)).toBeNull();
    });

    test("may be ensured and scaled again by the same or a newer epoch, and not by an older one", async () => {
      const target = freshTarget();
      await world().region.ensureWorkload(target, manifest(target, v1, 1), grant(5));

      expect(await world().region.ensureWorkload(target, manifest(target, v1, 2), grant(5))).toEqual({ kind: "done" });
      expect(await world().region.scaleWorkload(target, v1, 4, { epoch: 6 as Epoch })).toEqual({ kind: "done" });
      const older = { kind: "stale", epoch: 6 };
      expect(await world().region.scaleWorkload(target, v1, 1, { epoch: 5 as Epoch })).toEqual(older);
      expect((await world().region.readWorkload(target, v1))?.desired).toBe(4);
      const ensured = await world().region.ensureWorkload(target, manifest(target, v1, 1), grant(4));
      expect(ensured.kind).toBe("stale");
      expect((await world().region.readWorkload(target, v1))?.desired).toBe(4);
    });

    test("never change the meaning of a name", async () => {
      const target = freshTarget();
      await world().region.ensureWorkload(target, manifest(target, v1), grant(1));
      const other = { ...manifest(target, v1), image: `127.0.0.1:7400/orders@sha256:${"cd".repeat(32)}` };

      await expect(world().region.ensureWorkload(target, other, grant(2))).rejects.toThrow(RegionRejected);
    });

    test("are not scaled to nothing while they have requests", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(5));
      const epoch = 2 as Epoch;

      expect(await world().region.scaleWorkload(target, v2, 0, { epoch })).toMatchObject({ why: "in_use" });
      await world().region.lower(target, backToV1());
      expect(await world().region.scaleWorkload(target, v2, 0, { epoch })).toEqual({ kind: "done" });
    });

    test("count a ready pod once it is behind the version's Service, where a mesh finds it", async () => {
      const target = freshTarget();
      await world().region.ensureWorkload(target, manifest(target, v1, 1), grant(1));
      // Without an address it is behind no Service, whatever it says of itself.
      await addReadyPod(target, v1);

      const found = await world().region.readWorkload(target, v1);
      expect(found?.ready).toBe(0);
      expect(found?.reasons).toContain(`1 of its ready pods is not behind the Service ${v1} yet`);

      await addReadyPod(target, v1, { name: `${v1}-y`, node: "machine", ip: "10.77.9.9" });
      await until(async () => (await world().region.readWorkload(target, v1))?.ready === 1, { what: "a pod in reach" });
    });

    test("say in the region's words why a pod is not ready", async () => {
      const target = freshTarget();
      await world().region.ensureWorkload(target, manifest(target, v1, 1), grant(1));
      await addReadyPod(target, v1);
      const waiting = { reason: "ImagePullBackOff", message: "no such manifest" };
      const status = {
        phase: "Pending",
        conditions: [{ type: "Ready", status: "False" }],
        containerStatuses: [
          { name: "app", ready: false, restartCount: 0, image: "x", imageID: "", state: { waiting } },
        ],
      };
      const pod = `/api/v1/namespaces/${target.environment}/pods/${v1}-x`;
      await world().api("PATCH", `${pod}/status`, { status }, mergePatch);

      const found = await world().region.readWorkload(target, v1);

      expect(found?.ready).toBe(0);
      expect(found?.reasons).toContain(`${v1}-x: ImagePullBackOff, no such manifest`);
    });
  });

  describe("pods with a sidecar", () => {
    const sidecar = { name: "istio-proxy", image: "none" };
    const state = (name: string, state: object, restartCount = 0) => ({
      ...{ name, ready: false, restartCount, image: "x", imageID: "", state },
    });
    const running = { running: { startedAt: "2026-01-01T00:00:00Z" } };

    /** A pod of v1 with a container of the mesh before its own, whose API names none by itself. */
    async function meshed(): Promise<{ readonly target: Target; readonly pod: string; readonly path: string }> {
      const target = freshTarget();
      await world().region.ensureWorkload(target, manifest(target, v1, 1), grant(1));
      await addReadyPod(target, v1, { beside: [sidecar] });
      const pod = `${v1}-x`;
      return { target, pod, path: `/api/v1/namespaces/${target.environment}/pods/${pod}` };
    }

    async function report({ path }: { readonly path: string }, containerStatuses: readonly object[]): Promise<void> {
      const conditions = [{ type: "Ready", status: "False", message: "containers with unready status" }];
      await world().api("PATCH", `${path}/status`, { status: { conditions, containerStatuses } }, mergePatch);
    }

    /** What a log's answer says where nobody runs the pod. */
    const said = async (log: Promise<AsyncIterable<string> | readonly string[]>) => {
      const lines: string[] = [];
      try {
        for await (const line of await log) lines.push(line);
        return lines;
      } catch (error) {
        return String(error);
      }
    };

    test("are asked for the log of the version, which the region would refuse without a name", async () => {
      const { target, pod, path } = await meshed();

      await expect(world().api("GET", `${path}/log`)).rejects.toThrow(
        /a container name must be specified.*choose one of: \[istio-proxy app\]/,
      );
      const options = { tail: 10, follow: false, signal: AbortSignal.timeout(20_000) };
      const log = await said(world().region.podLog(target, pod, options));
      await report({ path }, [state("istio-proxy", running), state("app", running)]);
      const last = await said(world().region.lastLines(target, v1, 10));
      for (const words of [log, last]) expect(String(words)).not.toMatch(/container name|not valid/);
    });

    test("are told by the version's own container, and by another one where that is what it waits for", async () => {
      const stage = await meshed();
      const reasons = async () => (await world().region.readWorkload(stage.target, v1))?.reasons.join();
      // The region's own controllers make a pod, too.
      const restarts = async () =>
        (await world().region.listPods(stage.target)).find(({ name }) => name === stage.pod)?.restarts;
      const looping = { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } };

      await report(stage, [state("istio-proxy", running), state("app", looping, 3)]);
      expect(await reasons()).toContain(`${v1}-x: CrashLoopBackOff, back-off 10s, restarted 3 times`);
      expect(await restarts()).toBe(3);
      expect((await world().region.readWorkload(stage.target, v1))?.begun).toBe(1);

      await report(stage, [state("istio-proxy", looping, 2), state("app", { waiting: { reason: "PodInitializing" } })]);
      expect(await reasons()).toContain(
        `${v1}-x: its container istio-proxy, CrashLoopBackOff, back-off 10s, restarted 2 times`,
      );
      expect(await restarts()).toBe(0);
      expect((await world().region.readWorkload(stage.target, v1))?.begun).toBe(0);
    });
  });

  describe("secrets of a version", () => {
    const values = { DB_URL: "postgres://user:pass@db/orders", KEY: "line one\nline two é" };
    const withSecrets = (target: Target, name = v1, secrets: Record<string, string> = { DB_URL: "r1", KEY: "r2" }) => ({
      ...manifest(target, name),
      secrets,
    });
    const secretPath = (target: Target, name: string) => `/api/v1/namespaces/${target.environment}/secrets/${name}`;

    test("are an immutable Secret named after it, which its pods refer to", async () => {
      const target = freshTarget();

      await world().region.ensureWorkload(target, withSecrets(target), grant(7), async () => values);

      expect(await world().api("GET", secretPath(target, v1))).toMatchObject({
        type: "Opaque",
        immutable: true,
        metadata: {
          labels: { "slipway.dev/service": "orders", "slipway.dev/version": v1 },
          annotations: { "slipway.dev/epoch": "7", "slipway.dev/secret-revisions": "DB_URL=r1,KEY=r2" },
        },
        data: Object.fromEntries(Object.entries(values).map(([name, v]) => [name, Buffer.from(v).toString("base64")])),
      });
      const deployment = await world().api("GET", `/apis/apps/v1/namespaces/${target.environment}/deployments/${v1}`);
      expect(JSON.stringify(deployment)).toContain(
        JSON.stringify({ name: "DB_URL", valueFrom: { secretKeyRef: { name: v1, key: "DB_URL" } } }),
      );
      expect(JSON.stringify(deployment)).not.toContain("pass@db");
      const change = { data: { DB_URL: "b3RoZXI=" } };
      await expect(world().api("PATCH", secretPath(target, v1), change, mergePatch)).rejects.toThrow();
    });

    test("are asked for once: where the Secret stands, a newer grant takes it over as it is", async () => {
      const target = freshTarget();
      let asked = 0;
      const ask = async () => {
        asked += 1;
        return values;
      };
      await world().region.ensureWorkload(target, withSecrets(target), grant(2), ask);

      expect(await world().region.ensureWorkload(target, withSecrets(target), grant(3), ask)).toEqual({ kind: "done" });

      expect(asked).toBe(1);
      expect(await world().api("GET", secretPath(target, v1))).toMatchObject({
        metadata: { annotations: { "slipway.dev/epoch": "3" } },
      });
      const older = await world().region.ensureWorkload(target, withSecrets(target), grant(2), ask);
      expect(older.kind).toBe("stale");
    });

    test("are never others under the same name, and without their values nothing is made", async () => {
      const target = freshTarget();
      await world().region.ensureWorkload(target, withSecrets(target), grant(1), async () => values);

      const other = withSecrets(target, v1, { DB_URL: "r9", KEY: "r2" });
      await expect(world().region.ensureWorkload(target, other, grant(2), async () => values)).rejects.toThrow(
        RegionRejected,
      );
      const failing = world().region.ensureWorkload(target, withSecrets(target, v2), grant(1), async () => {
        throw new Error("no key");
      });
      await expect(failing).rejects.toThrow("no key");
      expect(await world().region.readWorkload(target, v2)).toBeNull();
    });

    test("go with it when it is retired, and a version without secrets has no Secret", async () => {
      const target = freshTarget();
      await world().region.openFence(target, { ...grant(1), baseline: null });
      await world().region.ensureWorkload(target, withSecrets(target), grant(1), async () => values);
      await world().region.ensureWorkload(target, manifest(target, v2), grant(1));
      const secrets = async () =>
        (await world().api("GET", secretPath(target, "").slice(0, -1))) as { items: object[] };
      expect((await secrets()).items).toHaveLength(1);

      expect(await world().region.retire(target, v1, { epoch: 1 as Epoch })).toEqual({ kind: "done" });

      expect((await secrets()).items).toEqual([]);
    });
  });

  describe("following and retiring", () => {
    test("the base Service follows only a version that has all traffic", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(50));
      const request = { epoch: 2 as Epoch, version: v2 };

      expect(await world().region.follow(target, request)).toMatchObject({ kind: "refused", why: "not_live" });
      await world().region.raise(target, toV2(100));
      expect(await world().region.follow(target, request)).toEqual({ kind: "done" });
      expect((await world().region.readTraffic(target)).liveVersion).toBe(v2);
      expect(await world().region.follow(target, { epoch: 1 as Epoch, version: v1 })).toMatchObject({ kind: "stale" });
    });

    test("a version with requests, or one that the base Service selects, is not retired", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(5));
      const epoch = 2 as Epoch;

      expect(await world().region.retire(target, v2, { epoch })).toMatchObject({ kind: "refused", why: "in_use" });
      await world().region.raise(target, toV2(100));
      expect(await world().region.retire(target, v1, { epoch })).toMatchObject({ kind: "refused", why: "in_use" });
      expect(await world().region.retire(target, v1, { epoch: 1 as Epoch })).toMatchObject({ why: "in_use" });
    });

    test("a retired version leaves neither route nor object, and asking again is harmless", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(100));
      const epoch = 2 as Epoch;
      await world().region.follow(target, { epoch, version: v2 });

      expect(await world().region.retire(target, v1, { epoch: 1 as Epoch })).toMatchObject({ kind: "stale", epoch: 2 });
      expect(await world().region.retire(target, v1, { epoch })).toEqual({ kind: "done" });
      expect(await world().region.retire(target, v1, { epoch })).toEqual({ kind: "done" });

      const after = await world().region.readTraffic(target);
      expect(after.weights).toEqual({ orders: 0, [v2]: 100 });
      expect(after.fence).toMatchObject({ epoch: 2, gate: "open" });
      expect(await world().region.readWorkload(target, v1)).toBeNull();
      expect((await world().region.listWorkloads(target)).map(({ version }) => version)).toEqual([v2]);
    });
  });
}
