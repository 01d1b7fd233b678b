import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type RealRegion, realPart, startRegion, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { helm } from "./helm.ts";
import { read, root, servicesOfTree } from "./tree.ts";

const { etcd, kubernetes, ...parts } = {
  ...{ helm: realPart("helm"), etcd: realPart("etcd"), kubernetes: realPart("kubernetes") },
};
const List = z.object({
  items: z.array(
    z.object({ metadata: z.object({ name: z.string() }), spec: z.object({ replicas: z.number().optional() }) }),
  ),
});

describe.skipIf(parts.helm === undefined || etcd === undefined || kubernetes === undefined)(
  "an installation that is stopped for a restore",
  () => {
    let region: RealRegion;
    let folder: string;
    beforeAll(async () => {
      if (etcd === undefined || kubernetes === undefined) throw new Error("a part is missing");
      folder = mkdtempSync(join(tmpdir(), "slipway-stopped-"));
      region = await startRegion({ etcd, kubernetes });
      await region.kubectl(["create", "namespace", "slipway"]);
    });
    afterAll(async () => {
      await region?.stop();
      rmSync(folder, { recursive: true });
    });

    const chart = join(root, "deploy/helm/slipway");
    const guide = read("docs/guides/operating.md");
    /** The file with values that the guide has one make. */
    const values = () => {
      const [, text = ""] = /^ *cat > slipway-values\.yaml <<'END'\n([\s\S]*?)^ *END$/m.exec(guide) ?? [];
      const path = join(folder, "slipway-values.yaml");
      writeFileSync(path, text);
      return path;
    };
    const inCluster = (...args: string[]) =>
      helm(parts.helm!, folder, ...args, "--kubeconfig", region.kubeconfig, "--namespace", "slipway");
    /** The guide's own line, as it stands there. */
    const asTheGuideSays = (what: RegExp, ...more: string[]) => {
      const [line = "not in the guide"] = what.exec(guide) ?? [];
      const here = line.replace("deploy/helm/slipway", chart).replace("slipway-values.yaml", values());
      const [, ...args] = here.replace(/ +#.*$/, "").split(" ");
      return inCluster(...args, ...more);
    };
    const listed = async (kind: string) =>
      List.parse(JSON.parse(await region.kubectl(["get", kind, "-n", "slipway", "-o", "json"]))).items;
    const replicas = async () =>
      Object.fromEntries((await listed("deployments")).map(({ metadata, spec }) => [metadata.name, spec.replicas]));
    const each = (count: number) =>
      Object.fromEntries([...servicesOfTree().keys()].map((name) => [`slipway-${name}`, count]));
    const scaleAsAutoscaler = (name: string, count: number) =>
      region.api(
        "PUT",
        `/apis/apps/v1/namespaces/slipway/deployments/${name}/scale?fieldManager=kube-controller-manager`,
        {
          ...{ apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name, namespace: "slipway" } },
          spec: { replicas: count },
        },
      );
    const scaling = ["artifact-registry", "deployment-orchestrator"];

    test("has no pod, no autoscaler and no job that prepares, and then starts each service again, those that scale themselves too", async () => {
      // Nobody runs the job's pod here.
      await asTheGuideSays(/helm install [^`\n]*/, "--no-hooks", "--wait=false");
      expect(await region.kubectl(["get", "ingress", "slipway", "-n", "slipway", "-o", "yaml"])).toContain(
        "slipway-tls",
      );
      await scaleAsAutoscaler("slipway-deployment-orchestrator", 4);
      await region.kubectl(["scale", "deployment/slipway-metrics-aggregator", "-n", "slipway", "--replicas=0"]);

      await asTheGuideSays(/helm upgrade [^`\n]*stopped=true[^`\n]*/, "--timeout", "60s");
      expect(await replicas()).toEqual(each(0));
      expect(await listed("horizontalpodautoscalers")).toEqual([]);

      await asTheGuideSays(/helm upgrade [^`\n]*stopped=false[^`\n]*/, "--no-hooks");
      expect(await region.kubectl(["get", "ingress", "slipway", "-n", "slipway", "-o", "yaml"])).toContain(
        "slipway-tls",
      );
      // Two of them are the autoscalers' to raise.
      await until(async () => isDeepStrictEqual(await replicas(), each(2)), {
        ...{ what: "each service has two pods again", timeoutMs: 60_000 },
      });
      expect((await listed("horizontalpodautoscalers")).map(({ metadata }) => metadata.name)).toEqual(
        scaling.map((name) => `slipway-${name}`),
      );
    });
  },
);
