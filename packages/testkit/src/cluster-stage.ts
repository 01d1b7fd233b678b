import type { RegionCluster, Target, WorkloadManifest } from "@slipway/cluster";
import type { DeploymentId, EnvironmentName, Epoch, ServiceName, VersionName } from "@slipway/kernel";
import { expect } from "vitest";
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

export const istio = "/apis/networking.istio.io/v1";
export const mergePatch = "application/merge-patch+json";
const service = "orders" as ServiceName;
export const v1 = "orders-1111111-aaaaa" as VersionName;
export const v2 = "orders-2222222-bbbbb" as VersionName;
export const v3 = "orders-3333333-ccccc" as VersionName;
export const proven = { production: true, proven: true };
export const unproven = { production: true, proven: false };
export const grant = (epoch: number) => ({ epoch: epoch as Epoch, deployment: `D-${epoch}` as DeploymentId });

export function manifest(target: Target, name: VersionName, replicas = 2): WorkloadManifest {
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

/** What the tests of a region set up again and again. */
export function clusterStage(world: () => ClusterWorld) {
  let count = 0;

  function freshTarget(): Target {
    count += 1;
    return { service, environment: `env-${count}-${Math.random().toString(36).slice(2, 7)}` as EnvironmentName };
  }

  async function addReadyPod(
    target: Target,
    version: VersionName,
    {
      name = `${version}-x`,
      node,
      ip,
      beside = [],
    }: {
      readonly name?: string;
      readonly node?: string;
      readonly ip?: string;
      /** Containers that are not the version's, in front of its own. */
      readonly beside?: readonly object[];
    } = {},
  ): Promise<void> {
    const pods = `/api/v1/namespaces/${target.environment}/pods`;
    const labels = { "slipway.dev/service": target.service, "slipway.dev/version": version };
    const spec = {
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [...beside, { name: "app", image: "none", ports: [{ name: "http", containerPort: 8_080 }] }],
    };
    if (node !== undefined) await ensureNode(node);
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec };
    // A new namespace takes no pods until its controllers have given it a service account.
    await until(() => world().api("POST", pods, pod), { what: `a pod of ${version}` });
    const address = ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] };
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }], ...address };
    await world().api("PATCH", `${pods}/${name}/status`, { status }, mergePatch);
  }

  /** A pod of a node that the API does not know is behind no Service. */
  async function ensureNode(name: string): Promise<void> {
    const node = { apiVersion: "v1", kind: "Node", metadata: { name } };
    await world()
      .api("POST", "/api/v1/nodes", node)
      .catch(async () => void (await world().api("GET", `/api/v1/nodes/${name}`)));
  }

  /** Workload with a ready pod, as the region's own controllers and node agent would bring it about. */
  async function serving(target: Target, version: VersionName, epoch: number): Promise<void> {
    const done = await world().region.ensureWorkload(target, manifest(target, version), grant(epoch));
    expect(done).toEqual({ kind: "done" });
    await addReadyPod(target, version);
  }

  /** v1 live with all traffic under epoch 1; v2 ready beside it; fence open for epoch 2. */
  async function canaryUnderWay(target = freshTarget()): Promise<Target> {
    await world().region.openFence(target, { ...grant(1), baseline: null });
    await serving(target, v1, 1);
    await world().region.raise(target, { ...grant(1), baseline: null, canary: v1, percent: 100, exposure: proven });
    await world().region.follow(target, { epoch: 1 as Epoch, version: v1 });
    await world().region.openFence(target, { ...grant(2), baseline: v1 });
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
  const edit = (target: Target, patch: object) => world().api("PATCH", vsPath(target), patch, mergePatch);

  async function httpRoutes(target: Target): Promise<readonly object[]> {
    const vs = (await world().api("GET", vsPath(target))) as { spec: { http: object[] } };
    return vs.spec.http;
  }

  async function setWeights(target: Target, weights: Record<string, number>): Promise<void> {
    const route = Object.entries(weights).map(([host, weight]) => ({ destination: { host }, weight }));
    await edit(target, { spec: { http: [{ name: "slipway", route }] } });
  }

  return { freshTarget, addReadyPod, serving, canaryUnderWay, httpRoutes, setWeights, toV2, backToV1, vsPath, edit };
}

export type ClusterStage = ReturnType<typeof clusterStage>;
