import type { RegionCluster, Target } from "@slipway/cluster";
import type { DeploymentId, EnvironmentName, Epoch, ServiceName, VersionName } from "@slipway/kernel";
import { until } from "../until.ts";
import type { RealRegion } from "./kubernetes.ts";
import type { RealMesh } from "./mesh.ts";

const v1 = "orders-1111111-aaaaa" as VersionName;
const v2 = "orders-2222222-bbbbb" as VersionName;
const proven = { production: true, proven: true };
const containerPort = 8_080;

/** One service with two versions whose pods answer through Envoy; its weights are written by the adapter. */
export type MeshStage = {
  readonly target: Target;
  /** By which clients call it. */
  readonly host: string;
  readonly baseline: VersionName;
  readonly canary: VersionName;
  /** Gives the canary this much. Under a new grant where the last one was shut. */
  raise(percent: number): Promise<void>;
  lower(): Promise<void>;
  /** Resolves once Envoy gives the canary this share, and requests that were under way before have ended. */
  untilServed(percent: number): Promise<void>;
};

/** `environment`: the namespace that the mesh was started for. */
export async function meshStage(
  real: RealRegion,
  region: RegionCluster,
  mesh: RealMesh,
  environment = "shop",
): Promise<MeshStage> {
  const target: Target = { environment: environment as EnvironmentName, service: "orders" as ServiceName };
  const host = `${target.service}.${target.environment}.svc.cluster.local`;
  let epoch = 1;
  const grant = () => ({ epoch: epoch as Epoch, deployment: `D-${epoch}` as DeploymentId });
  await real.api("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "machine" } });
  await open(region.openFence(target, { ...grant(), baseline: null }));
  for (const [version, ip] of [
    [v1, "10.77.0.1"],
    [v2, "10.77.0.2"],
  ] as const) {
    await region.ensureWorkload(target, workload(target, version), grant());
    await mesh.serve({ ip, port: containerPort, version });
    await addPod(real, target, version, ip);
  }
  await region.raise(target, { ...grant(), baseline: null, canary: v1, percent: 100, exposure: proven });
  await region.follow(target, { epoch: epoch as Epoch, version: v1 });
  epoch += 1;
  await open(region.openFence(target, { ...grant(), baseline: v1 }));
  await until(async () => (await mesh.load(host, 1))[v1] === 1, { what: `Envoy serves ${v1}`, timeoutMs: 60_000 });

  let shut = false;
  return {
    ...{ target, host, baseline: v1, canary: v2 },
    async raise(percent) {
      if (shut) {
        epoch += 1;
        await open(region.openFence(target, { ...grant(), baseline: v1 }));
        shut = false;
      }
      const raised = await region.raise(target, { ...grant(), baseline: v1, canary: v2, percent, exposure: proven });
      if (raised.kind !== "raised") throw new Error(`not raised: ${JSON.stringify(raised)}`);
    },
    async lower() {
      const lowered = await region.lower(target, { ...grant(), baseline: v1, canary: v2 });
      if (lowered.kind !== "shut") throw new Error(`not lowered: ${JSON.stringify(lowered)}`);
      shut = true;
    },
    async untilServed(percent) {
      const told = async () => Math.abs(((await mesh.shares(host))[v2] ?? 0) - percent) < 1e-6;
      await until(told, { what: `Envoy gives ${v2} ${percent}%`, timeoutMs: 60_000 });
      await mesh.load(host, 100);
    },
  };
}

async function open(opening: ReturnType<RegionCluster["openFence"]>): Promise<void> {
  const opened = await opening;
  if (opened.kind !== "opened") throw new Error(`the fence was not opened: ${JSON.stringify(opened)}`);
}

function workload({ service, environment }: Target, name: VersionName) {
  return {
    ...{ name, service, environment, replicas: 1, env: {}, graceMs: 1_000, annotations: {} },
    image: `127.0.0.1:7400/orders@sha256:${"ab".repeat(32)}`,
    ready: { path: "/healthz", timeoutMs: 30_000 },
    resources: { cpu: "100m", memory: "64Mi" },
  };
}

/** What a node agent would say of a pod that runs at this address. */
async function addPod({ api }: RealRegion, { environment, service }: Target, version: VersionName, ip: string) {
  const pods = `/api/v1/namespaces/${environment}/pods`;
  const labels = { "slipway.dev/service": service, "slipway.dev/version": version };
  const containers = [{ name: "app", image: "none", ports: [{ name: "http", containerPort }] }];
  const pod = {
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name: `${version}-x`, labels } },
    spec: { nodeName: "machine", containers },
  };
  await until(() => api("POST", pods, pod), { what: `a pod of ${version}` });
  const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] };
  await api("PATCH", `${pods}/${version}-x/status`, { status }, "application/merge-patch+json");
}
