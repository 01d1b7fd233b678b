import type { Epoch } from "@slipway/kernel";
import { clusterContract, installedRegion, type RealRegion, realPart, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Target, WorkloadManifest } from "../src/port.ts";
import { fenceOrdersContract } from "./support/fence-orders.contract.ts";
import { grant, v1, v2 } from "./support/fence-world.ts";
import { asAdmin, connectAs, regionOf } from "./support/real-region.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const environment = "held";
const manifest = (name: string, replicas: number) =>
  ({
    ...{ name, service: "orders", environment, replicas, env: {} },
    image: `registry.example/orders@sha256:${"1".repeat(64)}`,
    ...{ ready: { path: "/", timeoutMs: 30_000 }, resources: { cpu: "50m", memory: "32Mi" } },
    ...{ graceMs: 1_000, annotations: {} },
  }) as unknown as WorkloadManifest;

const parts = etcd && kubernetes && crds ? { etcd, kubernetes, crds } : undefined;

/** The very suites of the local region, over a real API server and with the rights that deploy/regions gives. */
describe.skipIf(parts === undefined)("a real Kubernetes", () => {
  let real: RealRegion;
  beforeAll(async () => {
    real = await installedRegion(parts!);
  });
  afterAll(() => real?.stop());

  describe("with the orchestrator's account", () => {
    clusterContract(async () => {
      const own = regionOf(await connectAs(real, "orchestrator"));
      return { region: own, api: real.api, close: () => own.close() };
    });
  });

  test("lets the pods of a version in where it enforces Pod Security's level restricted, and tells of those from before that it does not", async () => {
    const own = regionOf(await connectAs(real, "orchestrator"));
    const target = { service: "orders", environment } as unknown as Target;
    await own.openFence(target, { ...grant(1), baseline: null });
    await own.ensureWorkload(target, manifest(v1, 0), grant(1));
    const labels = ["pod-security.kubernetes.io/enforce=restricted"];
    await real.kubectl(["label", "namespace", target.environment, ...labels]);

    await own.ensureWorkload(target, manifest(v2, 1), grant(1));
    await own.scaleWorkload(target, v1, 1, { epoch: 1 as Epoch });

    const made = async () => (await own.listPods(target)).map(({ version }) => version);
    await until(async () => (await made()).length > 0, { what: "a pod at the level restricted" });
    expect(await made()).toEqual([v2]);
    await until(async () => (await own.readWorkload(target, v1))?.refused !== undefined, { what: "the refusal" });
    expect((await own.readWorkload(target, v1))?.refused).toMatch(
      /^FailedCreate: pods ".+" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true/,
    );
    await own.close();
  });

  describe("where the rollback-controller's account lowers and repairs", () => {
    clusterContract(async () => {
      const own = regionOf(await connectAs(real, "orchestrator"));
      const lowering = regionOf(await connectAs(real, "rollbackController"));
      const { lower, repair } = lowering;
      return {
        region: { ...own, lower, repair },
        api: real.api,
        async close() {
          await own.close();
          await lowering.close();
        },
      };
    });
  });

  describe("with requests that are late, lost, refused or made at once:", () => {
    fenceOrdersContract(async () => {
      const connection = await connectAs(real, "orchestrator");
      const admin = await asAdmin(real);
      return {
        connection,
        admin,
        async close() {
          await connection.close();
          await admin.close();
        },
      };
    });
  });
});
