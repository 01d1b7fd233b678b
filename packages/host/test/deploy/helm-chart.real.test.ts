import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type RealRegion, realPart, startRegion } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { root, servicesOfTree } from "./tree.ts";

const parts = { helm: realPart("helm"), etcd: realPart("etcd"), kubernetes: realPart("kubernetes") };
const monitors = realPart("prometheus-operator-crds");
const chart = join(root, "deploy/helm/slipway");
const everything = {
  imagePullSecrets: [{ name: "pull" }],
  urlKeys: { slack: "slack-webhook-url" },
  objects: { credentialsSecret: "s3", awsRegion: "eu-west-1" },
  caConfigMap: "authorities",
  ingress: { className: "nginx", tlsSecret: "slipway-tls", annotations: { a: "b" } },
  serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
  defaults: {
    autoscaling: { enabled: true },
    nodeSelector: { pool: "slipway" },
    podAnnotations: { x: "y" },
    serviceAccountAnnotations: { role: "some-role" },
  },
  services: { "rollback-controller": { data: { claim: true, storageClass: "fast" } } },
  image: { digest: `sha256:${"0".repeat(64)}` },
};

const stepsAsJobs = ["--set", "builds.executor=kubernetes"] as const;

const Rendered = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});
type Rendered = z.infer<typeof Rendered>;

describe.skipIf(parts.helm === undefined)("the chart, rendered by Helm", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-chart-"));
    writeFileSync(join(folder, "everything.json"), JSON.stringify(everything));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const helm = async (...args: string[]) => {
    const env = { PATH: process.env.PATH ?? "", HOME: folder };
    return (await promisify(execFile)(parts.helm?.program ?? "", args, { env, maxBuffer: 2 ** 26 })).stdout;
  };
  const render = async (...args: string[]): Promise<readonly Rendered[]> => {
    // 1.1, as Kubernetes reads it: 0440 is octal.
    const text = await helm("template", "slipway", chart, "--namespace", "slipway", ...args);
    return parseAllDocuments(text, { version: "1.1" }).flatMap((document) => {
      const value: unknown = document.toJS();
      return value === null ? [] : [Rendered.parse(value)];
    });
  };
  const withEverything = () => render("--values", join(folder, "everything.json"));
  const kinds = (objects: readonly Rendered[]) => new Set(objects.map(({ kind }) => kind));

  test("helm lint finds nothing, with the values as they are and with everything on", async () => {
    await helm("lint", "--strict", chart);
    await helm("lint", "--strict", chart, "--values", join(folder, "everything.json"));
  });

  test("each service has its own account, Service, Deployment, budget and network policy", async () => {
    const objects = await render();
    const names = (kind: string) => objects.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);

    for (const kind of ["ServiceAccount", "Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy"])
      expect(names(kind), kind).toEqual(
        expect.arrayContaining([...servicesOfTree().keys()].map((name) => `slipway-${name}`)),
      );
    expect(names("Deployment").length).toBe(6);
    expect(names("HorizontalPodAutoscaler").sort()).toEqual([
      "slipway-artifact-registry",
      "slipway-deployment-orchestrator",
    ]);
    expect(kinds(await withEverything())).toContain("ServiceMonitor");
    expect(kinds(objects)).not.toContain("ServiceMonitor");
  });

  test("what may not be is refused with a sentence", async () => {
    await expect(render("--set", "publicUrl=slipway")).rejects.toThrow(/publicUrl/);
  });

  describe.skipIf(parts.kubernetes === undefined || parts.etcd === undefined)("before a real API server", () => {
    let region: RealRegion;
    beforeAll(async () => {
      const { etcd, kubernetes } = parts;
      if (etcd === undefined || kubernetes === undefined) throw new Error("a part is missing");
      region = await startRegion({ etcd, kubernetes });
      if (monitors !== undefined) {
        await region.kubectl(["apply", "--server-side", "-f", monitors.program]);
        await region.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
      }
      for (const name of ["slipway", "slipway-builds"])
        await region.api("POST", "/api/v1/namespaces", {
          ...{ apiVersion: "v1", kind: "Namespace" },
          metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
        });
    });
    afterAll(() => region?.stop());

    /** What the server answers to an object that it would not keep; unknown fields are refused, not dropped. */
    const dryRun = (object: Rendered) =>
      region.kubectl(
        [
          ...["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"],
          // The chart's own Namespace is in none.
          ...(object.kind === "Namespace" ? [] : ["-n", object.metadata.namespace ?? "slipway"]),
        ],
        JSON.stringify(object),
      );

    test.each([
      ["as it is", () => render()],
      ["with everything on", withEverything],
      ["with steps as Jobs", () => render(...stepsAsJobs, "--set-json", `builds.kubernetes.quota={"pods":"20"}`)],
    ])("it takes every object of the chart %s", async (_, rendered) => {
      const objects = (await rendered()).filter(({ kind }) => kind !== "ServiceMonitor" || monitors !== undefined);

      for (const object of objects)
        expect(await dryRun(object), `${object.kind} ${object.metadata.name}`).toContain(
          "serverside-applied (server dry run)",
        );
      expect(objects.length).toBeGreaterThan(30);
    });

    test("Pod Security at `restricted` lets in the pods of all services but the one that builds, where steps are not Jobs", async () => {
      const refusedOf = async (objects: readonly Rendered[]) => {
        const pods = objects.filter(({ kind }) => kind === "Deployment" || kind === "Job").map(podOf);
        const refused: string[] = [];
        for (const pod of pods)
          await dryRun(pod).catch((error: Error) => refused.push(`${pod.metadata.name}: ${error.message}`));
        expect(pods.length).toBe(7);
        return refused;
      };

      expect(await refusedOf(await render(...stepsAsJobs))).toEqual([]);
      expect(await refusedOf(await render())).toEqual([
        expect.stringMatching(/^slipway-build-service: .*violates PodSecurity "restricted/s),
      ]);
    });
  });
});

/** The pod that a Deployment or a Job would make. */
function podOf(object: Rendered): Rendered {
  const { template } = z
    .looseObject({ template: z.looseObject({ metadata: z.looseObject({}), spec: z.looseObject({}) }) })
    .parse(object.spec);
  return {
    ...{ apiVersion: "v1", kind: "Pod", spec: { ...template.spec, serviceAccountName: undefined } },
    metadata: { ...template.metadata, name: object.metadata.name },
  };
}
