import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RealRegion, realPart, startRegion } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { helm, Rendered, renderChart } from "./helm.ts";
import { readYaml, root, servicesOfTree } from "./tree.ts";

const parts = { helm: realPart("helm"), etcd: realPart("etcd"), kubernetes: realPart("kubernetes") };
const monitors = realPart("prometheus-operator-crds");
const chart = join(root, "deploy/helm/slipway");
/** A container of the operator's own. */
const plugins = (name: string) => ({
  ...{ name, image: "plugins.example/cloud:1", volumeMounts: [{ name: "plugins", mountPath: "/plugins" }] },
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
});
const everything = {
  imagePullSecrets: [{ name: "pull" }],
  urlKeys: { slack: "slack-webhook-url" },
  objects: { credentialsSecret: "s3", awsRegion: "eu-west-1" },
  caConfigMap: "authorities",
  registries: { publishTo: "registry.example:5000/slipway", secret: "registries" },
  ingress: { className: "nginx", tlsSecret: "slipway-tls", annotations: { a: "b" } },
  serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
  regionTokens: { enabled: true, own: "eu-west-1", renewersSecret: "renewers" },
  prometheusRule: { enabled: true, labels: { release: "prometheus" } },
  prepare: { priorityClassName: "high", nodeSelector: { pool: "slipway" }, tolerations: [{ operator: "Exists" }] },
  defaults: {
    autoscaling: { enabled: true },
    nodeSelector: { pool: "slipway" },
    podAnnotations: { x: "y" },
    podLabels: { team: "platform" },
    priorityClassName: "high",
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    extraVolumes: [{ name: "plugins", emptyDir: {} }],
    extraVolumeMounts: [{ name: "plugins", mountPath: "/opt/plugins", readOnly: true }],
    initContainers: [plugins("fetch")],
    extraContainers: [plugins("agent")],
    serviceAccountAnnotations: { role: "some-role" },
    serviceAnnotations: { "ingress.example/timeout": "3600" },
  },
  services: { "rollback-controller": { data: { claim: true, storageClass: "fast" } } },
  image: { digest: `sha256:${"0".repeat(64)}` },
};

const stepsAsJobs = ["--set", "builds.executor=kubernetes"] as const;
const buildkit = `docker.io/moby/buildkit@sha256:${"1".repeat(64)}`;
const dockerfiles = [...stepsAsJobs, "--set", `builds.kubernetes.buildkit.image=${buildkit}`] as const;

describe.skipIf(parts.helm === undefined)("the chart, rendered by Helm", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-chart-"));
    writeFileSync(join(folder, "everything.json"), JSON.stringify(everything));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const render = (...args: string[]) => renderChart(parts.helm!, folder, chart, ...args);
  const withEverything = () => render("--values", join(folder, "everything.json"));
  const kinds = (objects: readonly Rendered[]) => new Set(objects.map(({ kind }) => kind));

  test("helm lint finds nothing, with the values as they are and with everything on", async () => {
    const lint = (...args: string[]) => helm(parts.helm!, folder, "lint", "--strict", chart, ...args);
    await lint();
    await lint("--values", join(folder, "everything.json"));
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
    expect(kinds(objects)).not.toContain("PrometheusRule");
    const rule = (await withEverything()).find(({ kind }) => kind === "PrometheusRule");
    expect(rule?.spec).toEqual(readYaml("deploy/prometheus/alerts.yml"));
    const base = "https://git.example/slipway/blob/main";
    const linked = await render("--set", "prometheusRule.enabled=true", "--set", `prometheusRule.runbookBase=${base}/`);
    const links = JSON.stringify(linked.find(({ kind }) => kind === "PrometheusRule")).match(/"runbook_url":"[^"]*"/g);
    expect(links?.length).toBeGreaterThan(10);
    for (const link of links ?? []) expect(link).toContain(`"${base}/docs/guides/operating.md#`);
    await expect(render("--set", "prometheusRule.runbookBase=docs")).rejects.toThrow(/runbookBase/);
    expect(rule?.metadata).toMatchObject({ labels: { release: "prometheus" } });
  });

  test("where images are published, and how registries of others are reached, is told to the artifact-registry alone", async () => {
    const told = (objects: readonly Rendered[]) =>
      objects.filter(
        (one) => one.kind === "Deployment" && /SLIPWAY_(PUBLISH_TO|EXTERNAL_REG)/.test(JSON.stringify(one)),
      );
    const [registry, ...others] = told(await withEverything());

    expect(told(await render())).toEqual([]);
    expect([registry?.metadata.name, others]).toEqual(["slipway-artifact-registry", []]);
    expect(JSON.stringify(registry)).toContain('"SLIPWAY_PUBLISH_TO","value":"registry.example:5000/slipway"');
    expect(JSON.stringify(registry)).toContain('"secretName":"registries"');
    await expect(render("--set", "registries.publishTo=https://registry.example")).rejects.toThrow(/publishTo/);
  });

  test("a variable that the operator names is the operator's, and no name stands twice", async () => {
    const own = ["SLIPWAY_LOG_LEVEL=debug", "SLIPWAY_URL=https://elsewhere.example.com", "OWN=mine"];
    const objects = await render(...own.flatMap((pair) => ["--set", `services.artifact-registry.env.${pair}`]));
    const Pod = z.looseObject({
      template: z.looseObject({
        spec: z.looseObject({
          containers: z.array(
            z.looseObject({ env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })) }),
          ),
        }),
      }),
    });
    const envs = objects
      .filter(({ kind }) => kind === "Deployment")
      .map(({ metadata, spec }) => [metadata.name, Pod.parse(spec).template.spec.containers[0]?.env ?? []] as const);

    expect(envs.length).toBe(6);
    for (const [name, env] of envs) {
      const names = env.map((one) => one.name);
      expect(names.length, name).toBeGreaterThan(8);
      expect([...new Set(names)], name).toEqual(names);
    }
    const registry = new Map(envs).get("slipway-artifact-registry")?.map(({ name, value }) => `${name}=${value}`);
    expect(registry).toEqual(expect.arrayContaining(own));
  });

  test("Services say what the operator's ingress controller looks for, and by themselves nothing", async () => {
    const annotations = (objects: readonly Rendered[]) =>
      objects.filter(({ kind }) => kind === "Service").map(({ metadata }) => metadata.annotations);

    expect(annotations(await withEverything())).toEqual(Array(6).fill({ "ingress.example/timeout": "3600" }));
    expect(annotations(await render())).toEqual(Array(6).fill(undefined));
  });

  test("what may not be is refused with a sentence", async () => {
    await expect(render("--set", "publicUrl=slipway")).rejects.toThrow(/publicUrl/);
    await expect(render("--set", "publicUrl=https://slipway.example.com/")).rejects.toThrow(
      /publicUrl: .*leave the one at the end of https:\/\/slipway\.example\.com\/ out/,
    );
    await expect(render("--set", "environments={dev,live}")).rejects.toThrow(
      /production: prod is not among .*\(dev, live\)/,
    );
    await expect(render("--set", "production={prd}")).rejects.toThrow(/production: prd is not among/);
    await expect(render("--set", "regionTokens.enabled=true")).rejects.toThrow(/say which region is this cluster/);
    for (const alone of ["own=here", "renewersSecret=renewers"])
      await expect(render("--set", `regionTokens.${alone}`)).rejects.toThrow(/set regionTokens\.enabled=true/);
    await expect(render("--set", "services.artifact-registry.replicas=6")).rejects.toThrow(
      /services\.artifact-registry: it begins with 6 pods \(replicas\) and may have 4 at most/,
    );
    for (const url of ["https://Slipway.example.com", "http://10.0.0.7:8080", "http://[::1]"]) {
      await expect(render("--set", `publicUrl=${url}`), url).rejects.toThrow(
        /publicUrl: an Ingress is for a host name/,
      );
      await render("--set", `publicUrl=${url}`, "--set", "ingress.enabled=false");
    }
    await expect(render("--set", "regionTokens.hours=0.2")).rejects.toThrow(/regionTokens\/hours/);
    const tag = "builds.kubernetes.buildkit.image=moby/buildkit:rootless";
    await expect(render(...stepsAsJobs, "--set", tag)).rejects.toThrow(/buildkit/);
  });

  test("parts of a number are taken as --set gives them, which is as text", async () => {
    const tokens = ["regionTokens.enabled=true", "regionTokens.own=here", "regionTokens.hours=0.25"];
    const set = [...tokens, "builds.kubernetes.cpus=0.5"].flatMap((value) => ["--set", value]);
    const text = JSON.stringify(await render(...stepsAsJobs, ...set));

    expect(text).toContain('"--hours=0.25"');
    expect(text).toContain("&cpus=0.5&");
  });

  test("Dockerfiles have a namespace, rights and policies of their own, and the build-service is told and reaches it, only where BuildKit is named", async () => {
    const without = JSON.stringify(await render(...stepsAsJobs));
    const objects = await render(...dockerfiles);
    const own = objects.filter(({ metadata }) => metadata.namespace === "slipway-image-builds");

    expect(without).not.toMatch(/image-builds|buildkit_image/);
    expect(own.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
      ...["NetworkPolicy called-by-build-service", "NetworkPolicy deny"],
      ...["NetworkPolicy network-full", "NetworkPolicy network-registries"],
      ...["Role slipway-build-steps", "RoleBinding slipway-build-steps"],
    ]);
    const found = (kind: string, name: string) =>
      JSON.stringify(objects.find((one) => one.kind === kind && one.metadata.name === name));
    expect(found("NetworkPolicy", "slipway-build-service")).toContain("slipway-image-builds");
    expect(found("Deployment", "slipway-build-service")).toContain(
      `buildkit_image=${encodeURIComponent(buildkit)}&buildkit_namespace=slipway-image-builds`,
    );
    expect(found("Namespace", "slipway-image-builds")).toContain('enforce":"privileged');
    expect(found("ValidatingAdmissionPolicy", "slipway-image-builds")).toContain(buildkit);
  });

  describe.skipIf(parts.kubernetes === undefined || parts.etcd === undefined)("before a real API server", () => {
    let region: RealRegion;
    beforeAll(async () => {
      const { etcd, kubernetes } = parts;
      if (etcd === undefined || kubernetes === undefined) throw new Error("a part is missing");
      region = await startRegion({ etcd, kubernetes });
      if (monitors !== undefined) {
        for (const file of [monitors.program, ...Object.values(monitors.also)])
          await region.kubectl(["apply", "--server-side", "-f", file]);
        await region.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
      }
      const levels = {
        ...{ slipway: "restricted", "slipway-system": "restricted" },
        "slipway-builds": "restricted",
        "slipway-image-builds": "privileged",
      };
      for (const [name, level] of Object.entries(levels))
        await region.api("POST", "/api/v1/namespaces", {
          ...{ apiVersion: "v1", kind: "Namespace" },
          metadata: { name, labels: { "pod-security.kubernetes.io/enforce": level } },
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
      ["with Dockerfiles", () => render(...dockerfiles)],
    ])("it takes every object of the chart %s", async (_, rendered) => {
      const objects = (await rendered()).filter(
        ({ apiVersion }) => apiVersion !== "monitoring.coreos.com/v1" || monitors !== undefined,
      );

      for (const object of objects)
        expect(await dryRun(object), `${object.kind} ${object.metadata.name}`).toContain(
          "serverside-applied (server dry run)",
        );
      expect(objects.length).toBeGreaterThan(30);
    });

    test.skipIf(monitors === undefined)(
      "it takes no alert or monitor that the Prometheus operator would not",
      async () => {
        const objects = await withEverything();
        const misspelt = (kind: string, key: string) => {
          const object = objects.find((one) => one.kind === kind);
          const text = JSON.stringify(object);
          expect(text).toContain(`"${key}":`);
          return dryRun(Rendered.parse(JSON.parse(text.replace(`"${key}":`, `"${key}s":`))));
        };

        await expect(misspelt("PrometheusRule", "expr")).rejects.toThrow(
          /\.spec\.groups.*exprs: field not declared in schema/,
        );
        await expect(misspelt("ServiceMonitor", "interval")).rejects.toThrow(
          /\.spec\.endpoints.*intervals: field not declared in schema/,
        );
      },
    );

    test("Pod Security at `restricted` lets in the pods of all services but the one that builds, where steps are not Jobs", async () => {
      const refusedOf = async (objects: readonly Rendered[]) => {
        const pods = objects.filter(({ kind }) => ["Deployment", "Job", "CronJob"].includes(kind)).map(podOf);
        const refused: string[] = [];
        for (const pod of pods)
          await dryRun(pod).catch((error: Error) => refused.push(`${pod.metadata.name}: ${error.message}`));
        expect(pods.length).toBeGreaterThanOrEqual(7);
        return refused;
      };

      const tokens = ["--set", "regionTokens.enabled=true", "--set", "regionTokens.own=here"];
      expect(await refusedOf(await render(...stepsAsJobs, ...tokens))).toEqual([]);
      expect(await refusedOf(await render())).toEqual([
        expect.stringMatching(/^slipway-build-service: .*violates PodSecurity "restricted/s),
      ]);
    });
  });
});

/** The pod that a Deployment, a Job or a CronJob would make. */
function podOf(object: Rendered): Rendered {
  const job = z.looseObject({ jobTemplate: z.looseObject({ spec: z.unknown() }).optional() }).parse(object.spec);
  const { template } = z
    .looseObject({ template: z.looseObject({ metadata: z.looseObject({}), spec: z.looseObject({}) }) })
    .parse(job.jobTemplate?.spec ?? object.spec);
  return {
    ...{ apiVersion: "v1", kind: "Pod", spec: { ...template.spec, serviceAccountName: undefined } },
    metadata: { ...template.metadata, name: object.metadata.name },
  };
}
