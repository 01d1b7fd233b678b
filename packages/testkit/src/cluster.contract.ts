import {
  type RegionCluster,
  RegionRejected,
  type Target,
  type TrafficView,
  type WorkloadManifest,
} from "@slipway/cluster";
import type { DeploymentId, EnvironmentName, Epoch, ServiceName, VersionName } from "@slipway/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "./until.ts";

/** A region under test, and a second way into it: what a person with kubectl, or a kubelet, would do. */
export type ClusterWorld = {
  readonly region: RegionCluster;
  /** One call of the Kubernetes API. `contentType` defaults to JSON; answers the parsed body, throws for non-2xx. */
  api(
    method: "GET" | "POST" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<unknown>;
  close(): Promise<void>;
};

const istio = "/apis/networking.istio.io/v1";
const mergePatch = "application/merge-patch+json";
const service = "orders" as ServiceName;
const v1 = "orders-1111111-aaaaa" as VersionName;
const v2 = "orders-2222222-bbbbb" as VersionName;
const v3 = "orders-3333333-ccccc" as VersionName;
const proven = { production: true, proven: true };
const unproven = { production: true, proven: false };
const grant = (epoch: number) => ({ epoch: epoch as Epoch, deployment: `D-${epoch}` as DeploymentId });

function manifest(target: Target, name: VersionName, replicas = 2): WorkloadManifest {
  return {
    name,
    service: target.service,
    environment: target.environment,
    image: `127.0.0.1:7400/orders@sha256:${"ab".repeat(32)}`,
    replicas,
    env: { LOG_LEVEL: "info" },
    ready: { path: "/healthz", timeoutMs: 30_000 },
    resources: { cpu: "100m", memory: "64Mi" },
    graceMs: 5_000,
    annotations: { "slipway.dev/commit": name.slice(7, 14) },
  };
}

/** What one region must do, whatever answers behind its Kubernetes API. Each test has an environment of its own. */
export function clusterContract(start: () => Promise<ClusterWorld>): void {
  let world: ClusterWorld;
  let count = 0;

  beforeAll(async () => {
    world = await start();
  });
  afterAll(async () => {
    await world.close();
  });

  function freshTarget(): Target {
    count += 1;
    return { service, environment: `env-${count}-${Math.random().toString(36).slice(2, 7)}` as EnvironmentName };
  }

  async function addReadyPod(target: Target, version: VersionName): Promise<void> {
    const pods = `/api/v1/namespaces/${target.environment}/pods`;
    const name = `${version}-x`;
    const labels = { "slipway.dev/service": target.service, "slipway.dev/version": version };
    const spec = { containers: [{ name: "app", image: "none" }] };
    await world.api("POST", pods, { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec });
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
    await world.api("PATCH", `${pods}/${name}/status`, { status }, mergePatch);
  }

  /** Workload with a ready pod, as the region's own controllers and node agent would bring it about. */
  async function serving(target: Target, version: VersionName, epoch: number): Promise<void> {
    const done = await world.region.ensureWorkload(target, manifest(target, version), grant(epoch));
    expect(done).toEqual({ kind: "done" });
    await addReadyPod(target, version);
  }

  /** v1 live with all traffic under epoch 1; v2 ready beside it; fence open for epoch 2. */
  async function canaryUnderWay(): Promise<Target> {
    const target = freshTarget();
    await world.region.openFence(target, { ...grant(1), baseline: null });
    await serving(target, v1, 1);
    await world.region.raise(target, { ...grant(1), baseline: null, canary: v1, percent: 100, exposure: proven });
    await world.region.follow(target, { epoch: 1 as Epoch, version: v1 });
    await world.region.openFence(target, { ...grant(2), baseline: v1 });
    await serving(target, v2, 2);
    return target;
  }

  const toV2 = (percent: number, exposure = proven) => ({
    ...grant(2),
    baseline: v1,
    canary: v2,
    percent,
    exposure,
  });
  const backToV1 = (epoch = 2) => ({ ...grant(epoch), baseline: v1, canary: v2 });
  const vsPath = (target: Target) => `${istio}/namespaces/${target.environment}/virtualservices/${target.service}`;
  const edit = (target: Target, patch: object) => world.api("PATCH", vsPath(target), patch, mergePatch);

  describe("the fence", () => {
    test("opens on a region that knows nothing of the service, without moving a request", async () => {
      const target = freshTarget();
      expect(await world.region.readTraffic(target)).toMatchObject({ exists: false, fence: null, weights: {} });

      expect(await world.region.openFence(target, { ...grant(1), baseline: null })).toEqual({ kind: "opened", seq: 1 });

      expect(await world.region.readTraffic(target)).toMatchObject({
        exists: true,
        fence: { epoch: 1, seq: 1, gate: "open", holder: "D-1" },
        weights: { orders: 100 },
        liveVersion: null,
        paused: null,
      });
    });

    test("opens once per epoch, however often it is asked", async () => {
      const target = freshTarget();
      const first = await world.region.openFence(target, { ...grant(3), baseline: null });

      expect(await world.region.openFence(target, { ...grant(3), baseline: null })).toEqual(first);
      expect(await world.region.openFence(target, { ...grant(2), baseline: null })).toMatchObject({ kind: "stale" });
    });

    test("stays shut for its epoch and opens again only with a higher one", async () => {
      const target = await canaryUnderWay();
      await world.region.lower(target, backToV1());

      const again = await world.region.openFence(target, { ...grant(2), baseline: v1 });
      expect(again).toMatchObject({ kind: "stale", fence: { epoch: 2, gate: "shut" } });
      const next = await world.region.openFence(target, { ...grant(3), baseline: v1 });
      expect(next.kind).toBe("opened");
      expect((await world.region.readTraffic(target)).weights).toEqual({ orders: 0, [v1]: 100 });
    });

    test("a lowering where nothing exists yet shuts all the same, so that a late opening finds it shut", async () => {
      const target = freshTarget();

      expect(await world.region.lower(target, { ...grant(4), baseline: null, canary: v1 })).toMatchObject({
        kind: "shut",
      });

      const late = await world.region.openFence(target, { ...grant(4), baseline: null });
      expect(late).toMatchObject({ kind: "stale", fence: { epoch: 4, gate: "shut" } });
    });
  });

  describe("raising", () => {
    test("sets both weights and the next seq in one write", async () => {
      const target = await canaryUnderWay();
      const before = await world.region.readTraffic(target);

      const raised = await world.region.raise(target, toV2(5));

      expect(raised).toEqual({ kind: "raised", seq: (before.fence?.seq ?? 0) + 1 });
      const after = await world.region.readTraffic(target);
      expect(after.weights).toEqual({ orders: 0, [v1]: 95, [v2]: 5 });
      expect(after.fence).toEqual({ epoch: 2, seq: (before.fence?.seq ?? 0) + 1, gate: "open", holder: "D-2" });
      expect(after.liveVersion).toBe(v1);
    });

    test("asked twice, is written once", async () => {
      const target = await canaryUnderWay();
      const first = await world.region.raise(target, toV2(5));

      expect(await world.region.raise(target, toV2(5))).toEqual(first);
    });

    test("is refused above 5% of production for what is not proven, and only there", async () => {
      const target = await canaryUnderWay();

      expect(await world.region.raise(target, toV2(25, unproven))).toMatchObject({ kind: "refused", why: "unproven" });
      expect(await world.region.raise(target, toV2(5, unproven))).toMatchObject({ kind: "raised" });
      const staging = { production: false, proven: false };
      expect(await world.region.raise(target, toV2(25, staging))).toMatchObject({ kind: "raised" });
    });

    test("is refused while no pod of the canary is ready", async () => {
      const target = await canaryUnderWay();
      await world.region.ensureWorkload(target, manifest(target, v3), grant(2));

      const refused = await world.region.raise(target, { ...toV2(5), canary: v3 });

      expect(refused).toMatchObject({ kind: "refused", why: "not_ready" });
      expect((await world.region.readTraffic(target)).weights[v3] ?? 0).toBe(0);
    });

    test("is refused for another epoch, for a shut gate and where there is no fence", async () => {
      const target = await canaryUnderWay();

      expect(await world.region.raise(target, { ...toV2(5), ...grant(1) })).toMatchObject({ why: "stale" });
      expect(await world.region.raise(target, { ...toV2(5), ...grant(3) })).toMatchObject({ why: "shut" });
      await world.region.lower(target, backToV1());
      expect(await world.region.raise(target, toV2(5))).toMatchObject({ why: "shut" });
      await edit(target, { metadata: { annotations: { "slipway.dev/fence": null } } });
      expect(await world.region.raise(target, toV2(5))).toMatchObject({ why: "shut", traffic: { fence: null } });
      expect(await world.region.raise(freshTarget(), toV2(5))).toMatchObject({ why: "shut" });
    });

    test("reports a canary that a person lowered, and leaves it lowered", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(25));
      await setWeights(target, { orders: 0, [v1]: 100, [v2]: 0 });

      const refused = await world.region.raise(target, toV2(50));

      expect(refused).toMatchObject({ kind: "refused", why: "drifted" });
      expect((await world.region.readTraffic(target)).weights[v2]).toBe(0);
    });
  });

  describe("lowering", () => {
    test("takes everything back and shuts, in one write", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(50));

      const result = await world.region.lower(target, backToV1());

      const after = await world.region.readTraffic(target);
      expect(result).toEqual({ kind: "shut", seq: after.fence?.seq });
      expect(after.fence).toMatchObject({ epoch: 2, gate: "shut" });
      expect(after.weights).toEqual({ orders: 0, [v1]: 100, [v2]: 0 });
      expect(await world.region.lower(target, backToV1())).toEqual(result);
    });

    test("works with a newer epoch without opening first, and not with an older one", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(50));

      expect(await world.region.lower(target, backToV1(1))).toMatchObject({ kind: "stale", fence: { epoch: 2 } });
      expect(await world.region.lower(target, backToV1(3))).toMatchObject({ kind: "shut" });
      expect((await world.region.readTraffic(target)).fence).toMatchObject({ epoch: 3, gate: "shut", holder: "D-3" });
    });

    test("takes the base Service back when it had followed already", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(100));
      await world.region.follow(target, { epoch: 2 as Epoch, version: v2 });
      expect((await world.region.readTraffic(target)).liveVersion).toBe(v2);

      await world.region.lower(target, backToV1(3));

      expect((await world.region.readTraffic(target)).liveVersion).toBe(v1);
    });

    test("of a first version leaves it without requests, also through the base Service", async () => {
      const target = freshTarget();
      await world.region.openFence(target, { ...grant(1), baseline: null });
      await serving(target, v1, 1);
      const first = { ...grant(1), baseline: null, canary: v1 };
      await world.region.raise(target, { ...first, percent: 100, exposure: proven });
      await world.region.follow(target, { epoch: 1 as Epoch, version: v1 });

      await world.region.lower(target, first);

      const after = await world.region.readTraffic(target);
      expect(after).toMatchObject({ liveVersion: null, weights: { orders: 100, [v1]: 0 } });
    });

    test("leaves other people's routes and fields alone, and empties our own side routes", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(5));
      const [main] = (await httpRoutes(target)) as [object];
      const legacy = { name: "legacy", match: [{ uri: { prefix: "/v0" } }], route: [{ destination: { host: v2 } }] };
      const header = {
        name: "slipway-header",
        match: [{ headers: { "x-canary": { exact: "1" } } }],
        route: [{ destination: { host: v2 }, weight: 100 }],
        retries: { attempts: 2 },
      };
      const mirrored = { ...main, mirror: { host: v2 }, mirrorPercentage: { value: 50 } };
      await edit(target, { spec: { exportTo: ["."], http: [legacy, header, mirrored] } });

      await world.region.lower(target, backToV1());

      const [first, second, third] = (await httpRoutes(target)) as [object, object, object];
      expect(first).toEqual(legacy);
      expect(second).toMatchObject({
        retries: { attempts: 2 },
        route: [
          { destination: { host: v2 }, weight: 0 },
          { destination: { host: v1 }, weight: 100 },
        ],
      });
      expect(third).toMatchObject({ mirrorPercentage: { value: 0 } });
      expect(await world.api("GET", vsPath(target))).toMatchObject({ spec: { exportTo: ["."] } });
    });
  });

  describe("a pause", () => {
    test("stops every write but a lowering one", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(5));
      await edit(target, { metadata: { annotations: { "slipway.dev/paused": "incident 12" } } });
      const before = await world.region.readTraffic(target);
      expect(before.paused).toBe("incident 12");
      const epoch = 2 as Epoch;
      const paused = { kind: "refused", why: "paused", detail: "incident 12" };

      expect(await world.region.raise(target, toV2(25))).toMatchObject({ kind: "refused", why: "paused" });
      expect(await world.region.openFence(target, { ...grant(3), baseline: v1 })).toEqual({
        kind: "paused",
        reason: "incident 12",
      });
      expect(await world.region.ensureWorkload(target, manifest(target, v3), grant(2))).toEqual(paused);
      expect(await world.region.scaleWorkload(target, v2, 5, { epoch })).toEqual(paused);
      expect(await world.region.follow(target, { epoch, version: v2 })).toEqual(paused);
      expect(await world.region.retire(target, v3, { epoch })).toEqual(paused);
      expect(await world.region.readTraffic(target)).toEqual(before);
      expect(await world.region.lower(target, backToV1())).toMatchObject({ kind: "shut" });
      expect((await world.region.readTraffic(target)).weights[v2]).toBe(0);
    });
  });

  describe("workloads", () => {
    test("are a Deployment, a Service and a DestinationRule named after the version", async () => {
      const target = freshTarget();

      await world.region.ensureWorkload(target, manifest(target, v1, 3), grant(7));

      const objects = [
        `/apis/apps/v1/namespaces/${target.environment}/deployments/${v1}`,
        `/api/v1/namespaces/${target.environment}/services/${v1}`,
        `${istio}/namespaces/${target.environment}/destinationrules/${v1}`,
      ];
      for (const path of objects) {
        expect(await world.api("GET", path)).toMatchObject({
          metadata: {
            labels: { app: "orders", version: v1, "slipway.dev/service": "orders", "slipway.dev/version": v1 },
            annotations: { "slipway.dev/epoch": "7", "slipway.dev/commit": "1111111" },
          },
        });
      }
      expect(await world.region.readWorkload(target, v1)).toMatchObject({ desired: 3, ready: 0 });
      expect(await world.region.listWorkloads(target)).toMatchObject([{ version: v1, epoch: 7, desired: 3 }]);
      expect(await world.region.readWorkload(target, v2)).toBeNull();
    });

    test("may be ensured and scaled again by the same or a newer epoch, and not by an older one", async () => {
      const target = freshTarget();
      await world.region.ensureWorkload(target, manifest(target, v1, 1), grant(5));

      expect(await world.region.ensureWorkload(target, manifest(target, v1, 2), grant(5))).toEqual({ kind: "done" });
      expect(await world.region.scaleWorkload(target, v1, 4, { epoch: 6 as Epoch })).toEqual({ kind: "done" });
      const older = { kind: "stale", epoch: 6 };
      expect(await world.region.scaleWorkload(target, v1, 1, { epoch: 5 as Epoch })).toEqual(older);
      expect((await world.region.readWorkload(target, v1))?.desired).toBe(4);
      const ensured = await world.region.ensureWorkload(target, manifest(target, v1, 1), grant(4));
      expect(ensured.kind).toBe("stale");
      expect((await world.region.readWorkload(target, v1))?.desired).toBe(4);
    });

    test("never change the meaning of a name", async () => {
      const target = freshTarget();
      await world.region.ensureWorkload(target, manifest(target, v1), grant(1));
      const other = { ...manifest(target, v1), image: `127.0.0.1:7400/orders@sha256:${"cd".repeat(32)}` };

      await expect(world.region.ensureWorkload(target, other, grant(2))).rejects.toThrow(RegionRejected);
    });

    test("are not scaled to nothing while they have requests", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(5));
      const epoch = 2 as Epoch;

      expect(await world.region.scaleWorkload(target, v2, 0, { epoch })).toMatchObject({ why: "in_use" });
      await world.region.lower(target, backToV1());
      expect(await world.region.scaleWorkload(target, v2, 0, { epoch })).toEqual({ kind: "done" });
    });

    test("say in the region's words why a pod is not ready", async () => {
      const target = freshTarget();
      await world.region.ensureWorkload(target, manifest(target, v1, 1), grant(1));
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
      await world.api("PATCH", `${pod}/status`, { status }, mergePatch);

      const found = await world.region.readWorkload(target, v1);

      expect(found?.ready).toBe(0);
      expect(found?.reasons).toContain(`${v1}-x: ImagePullBackOff, no such manifest`);
    });
  });

  describe("following and retiring", () => {
    test("the base Service follows only a version that has all traffic", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(50));
      const request = { epoch: 2 as Epoch, version: v2 };

      expect(await world.region.follow(target, request)).toMatchObject({ kind: "refused", why: "not_live" });
      await world.region.raise(target, toV2(100));
      expect(await world.region.follow(target, request)).toEqual({ kind: "done" });
      expect((await world.region.readTraffic(target)).liveVersion).toBe(v2);
      expect(await world.region.follow(target, { epoch: 1 as Epoch, version: v1 })).toMatchObject({ kind: "stale" });
    });

    test("a version with requests, or one that the base Service selects, is not retired", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(5));
      const epoch = 2 as Epoch;

      expect(await world.region.retire(target, v2, { epoch })).toMatchObject({ kind: "refused", why: "in_use" });
      await world.region.raise(target, toV2(100));
      expect(await world.region.retire(target, v1, { epoch })).toMatchObject({ kind: "refused", why: "in_use" });
      expect(await world.region.retire(target, v1, { epoch: 1 as Epoch })).toMatchObject({ why: "in_use" });
    });

    test("a retired version leaves neither route nor object, and asking again is harmless", async () => {
      const target = await canaryUnderWay();
      await world.region.raise(target, toV2(100));
      const epoch = 2 as Epoch;
      await world.region.follow(target, { epoch, version: v2 });

      expect(await world.region.retire(target, v1, { epoch: 1 as Epoch })).toMatchObject({ kind: "stale", epoch: 2 });
      expect(await world.region.retire(target, v1, { epoch })).toEqual({ kind: "done" });
      expect(await world.region.retire(target, v1, { epoch })).toEqual({ kind: "done" });

      const after = await world.region.readTraffic(target);
      expect(after.weights).toEqual({ orders: 0, [v2]: 100 });
      expect(after.fence).toMatchObject({ epoch: 2, gate: "open" });
      expect(await world.region.readWorkload(target, v1)).toBeNull();
      expect((await world.region.listWorkloads(target)).map(({ version }) => version)).toEqual([v2]);
    });
  });

  describe("watching", () => {
    test("tells the present state first and then each change, in order", async () => {
      const target = await canaryUnderWay();
      const seen: TrafficView[] = [];
      const watch = world.region.watchTraffic(target, (traffic) => seen.push(traffic));
      await until(() => seen.length > 0, { what: "the first state" });
      expect(seen[0]?.weights[v1] ?? seen[0]?.weights.orders).toBe(100);

      await world.region.raise(target, toV2(5));
      await until(() => seen.at(-1)?.weights[v2] === 5, { what: "the raise" });
      await world.region.lower(target, backToV1());
      await until(() => seen.at(-1)?.fence?.gate === "shut", { what: "the lowering" });
      await watch.stop();

      const told = seen.length;
      await world.region.openFence(target, { ...grant(3), baseline: v1 });
      expect(seen.length).toBe(told);
      expect(seen.map(({ fence }) => fence?.seq ?? 0)).toEqual(
        seen.map(({ fence }) => fence?.seq ?? 0).toSorted((a, b) => a - b),
      );
    });

    test("tells of an object that appears and goes", async () => {
      const target = freshTarget();
      const seen: TrafficView[] = [];
      const watch = world.region.watchTraffic(target, (traffic) => seen.push(traffic));
      await until(() => seen.length === 1, { what: "the empty state" });

      await world.region.openFence(target, { ...grant(1), baseline: null });
      await until(() => seen.at(-1)?.exists === true, { what: "the object" });
      await world.api("DELETE", vsPath(target));
      await until(() => seen.at(-1)?.exists === false, { what: "its end" });
      await watch.stop();
    });
  });

  async function httpRoutes(target: Target): Promise<readonly object[]> {
    const vs = (await world.api("GET", vsPath(target))) as { spec: { http: object[] } };
    return vs.spec.http;
  }

  async function setWeights(target: Target, weights: Record<string, number>): Promise<void> {
    const route = Object.entries(weights).map(([host, weight]) => ({ destination: { host }, weight }));
    await edit(target, { spec: { http: [{ name: "slipway", route }] } });
  }
}
