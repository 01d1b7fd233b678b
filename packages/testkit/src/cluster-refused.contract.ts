import type { Target } from "@slipway/cluster";
import { describe, expect, test } from "vitest";
import { type ClusterStage, type ClusterWorld, grant, manifest, mergePatch, v1 } from "./cluster-stage.ts";
import { until } from "./until.ts";

/** Pods that a namespace takes under conditions, or not at all. */
export function refusedContract(world: () => ClusterWorld, { freshTarget }: ClusterStage): void {
  describe("a namespace that enforces Pod Security's level restricted", () => {
    test("gets pods that may run there, and another one pods that may run as their image says", async () => {
      const [target, other] = [freshTarget(), freshTarget()];
      await world().region.openFence(target, { ...grant(1), baseline: null });
      const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
      await world().api("PATCH", `/api/v1/namespaces/${target.environment}`, { metadata: { labels } }, mergePatch);
      const podOf = async ({ environment }: Target) => {
        const found = await world().api("GET", `/apis/apps/v1/namespaces/${environment}/deployments/${v1}`);
        return (found as { spec: { template: { spec: { securityContext?: object } } } }).spec.template.spec;
      };

      for (const one of [target, other]) await world().region.ensureWorkload(one, manifest(one, v1, 1), grant(1));

      const security = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
      expect((await podOf(target)).securityContext).toEqual(security);
      expect((await podOf(other)).securityContext ?? {}).toEqual({});
    });
  });

  describe("pods that the region refuses", () => {
    const untilRefused = ({ environment }: Target) => {
      const spec = { containers: [{ name: "app", image: "none" }] };
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "probe" }, spec };
      const isRefused = () =>
        world()
          .api("POST", `/api/v1/namespaces/${environment}/pods`, pod)
          .then(
            () => false,
            (error: Error) => /quota/.test(error.message),
          );
      return until(isRefused, { what: "the quota to be heeded" });
    };

    test("are told of in the region's words", async () => {
      const target = freshTarget();
      await world().region.openFence(target, { ...grant(1), baseline: null });
      const quotas = `/api/v1/namespaces/${target.environment}/resourcequotas`;
      const quota = {
        apiVersion: "v1",
        kind: "ResourceQuota",
        metadata: { name: "few" },
        spec: { hard: { pods: "0" } },
      };
      await world().api("POST", quotas, quota);
      // What the quota's own controller would write: a quota without it is not heeded yet.
      const status = { hard: { pods: "0" }, used: { pods: "0" } };
      await world().api("PATCH", `${quotas}/few/status`, { status }, mergePatch);
      await untilRefused(target);

      await world().region.ensureWorkload(target, manifest(target, v1, 2), grant(1));

      await until(async () => (await world().region.readWorkload(target, v1))?.refused !== undefined, {
        what: "the refusal in the workload's status",
      });
      const found = await world().region.readWorkload(target, v1);
      expect(found).toMatchObject({ desired: 2, ready: 0, begun: 0 });
      expect(found?.refused).toMatch(/^FailedCreate: pods ".+" is forbidden: .*quota: few/);
      expect(found?.reasons).toEqual([found?.refused]);
    });
  });
}
