import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKubernetesUrl } from "@slipway/executor";
import { realPart } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { worksWith } from "./calls.ts";
import { type Rendered, renderChart, renderWith } from "./helm.ts";
import { account, podOfChart, restricted } from "./pod.ts";
import { readYaml, root, servicesOfTree } from "./tree.ts";

const part = realPart("helm");
const services = [...servicesOfTree().keys()];

describe.skipIf(part === undefined)("values of the chart say what pods", () => {
  let folder: string;
  let objects: readonly Rendered[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "slipway-values-"));
    objects = await render("builds.executor=kubernetes");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const render = (...values: string[]) => renderWith(part!, folder, values);
  const podOf = (service: string) => podOfChart(objects, "Deployment", `slipway-${service}`);

  test("find authorities, S3's credentials and the registries of others where their variables say, where values name them", async () => {
    const named = ["caConfigMap=authorities", "objects.credentialsSecret=s3", "registries.secret=registries"];
    const more = await render(...named, "objects.awsRegion=eu-west-1");
    for (const service of services) {
      const { env, files } = podOfChart(more, "Deployment", `slipway-${service}`);
      const registry = service === "artifact-registry";
      const objects = worksWith(service).has("objects");
      expect([
        service,
        files["/etc/slipway/ca"],
        files["/etc/slipway/objects"],
        files["/etc/slipway/registries"],
      ]).toEqual([service, "authorities", objects ? "s3" : undefined, registry ? "registries" : undefined]);
      expect([
        env.NODE_EXTRA_CA_CERTS,
        env.AWS_SHARED_CREDENTIALS_FILE,
        env.AWS_REGION,
        env.SLIPWAY_EXTERNAL_REGISTRIES,
      ]).toEqual([
        "/etc/slipway/ca/ca.crt",
        ...(objects ? ["/etc/slipway/objects/credentials", "eu-west-1"] : [undefined, undefined]),
        registry ? "/etc/slipway/registries/registries.json" : undefined,
      ]);
    }
    const prepare = podOfChart(more, "Job", "slipway-prepare");
    expect([prepare.files["/etc/slipway/ca"], prepare.env.NODE_EXTRA_CA_CERTS]).toEqual([
      "authorities",
      "/etc/slipway/ca/ca.crt",
    ]);
  });

  test("find the addresses that values name, and none of what is Postgres then", async () => {
    const plain = await render("urlKeys.bus=", "urlKeys.lock=", "urlKeys.slack=");
    for (const service of services) {
      const { env, files } = podOfChart(plain, "Deployment", `slipway-${service}`);
      const objects = worksWith(service).has("objects");
      const urls = Object.keys(files).filter((path) => path.startsWith("/etc/slipway/urls/"));
      expect([service, urls]).toEqual([
        service,
        ["database", ...(objects ? ["objects"] : [])].map((key) => `/etc/slipway/urls/${key}`),
      ]);
      expect([service, Object.keys(env).filter((name) => /^SLIPWAY_(BUS|LOCK|SLACK_WEBHOOK)_URL/.test(name))]).toEqual([
        ...[service, []],
      ]);
    }
  });

  test("refuse to do without an object store, in words", async () => {
    await expect(render("urlKeys.objects=")).rejects.toThrow(
      /urlKeys\.objects: images have to be in one place for all pods: name the key of secrets\.urls that holds the URL of an S3 bucket/,
    );
  });

  test("may make namespaces for steps where these run in the build-service's own pod, and nowhere else", async () => {
    const builds = async (...values: string[]) => {
      const all = await render(...values);
      expect(podOfChart(all, "Deployment", "slipway-artifact-registry").container.securityContext).toEqual(restricted);
      return podOfChart(all, "Deployment", "slipway-build-service");
    };
    const isolated = await builds();
    expect(isolated.container.securityContext).toEqual({ ...restricted, procMount: "Unmasked" });
    expect(isolated).toMatchObject({
      ...{ hostUsers: false, automountServiceAccountToken: false, env: { SLIPWAY_ISOLATION: "auto" } },
      securityContext: { ...account, seccompProfile: { type: "Unconfined" } },
    });
    const open = await builds("builds.isolation=none");
    expect(open.container.securityContext).toEqual(restricted);
    expect(open).toMatchObject({
      env: { SLIPWAY_ISOLATION: "none" },
      securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    });
    expect([open.hostUsers, podOf("build-service").hostUsers]).toEqual([undefined, undefined]);
  });

  test("are placed, labelled and given more as values say, each service by its own, and stay the chart's own for its selectors", async () => {
    const volumes = [{ name: "plugins", emptyDir: {} }];
    const mounts = [{ name: "plugins", mountPath: "/opt/plugins" }];
    const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } };
    const place = { nodeSelector: { pool: "slipway" }, tolerations: [{ key: "pool", operator: "Exists" }] };
    const fetch = { name: "fetch", image: "plugins.example/cloud:1", volumeMounts: mounts };
    const own = {
      ...{
        priorityClassName: "first",
        affinity,
        podLabels: { team: "platform", "app.kubernetes.io/component": "other" },
      },
      ...place,
      ...{ extraVolumes: volumes, extraVolumeMounts: mounts, initContainers: [fetch], extraContainers: [fetch] },
    };
    const more = await render(`services.rollback-controller=${JSON.stringify(own)}`);
    const changed = podOfChart(more, "Deployment", "slipway-rollback-controller");
    const plain = podOf("rollback-controller");

    expect(changed).toMatchObject({ priorityClassName: "first", affinity, ...place, initContainers: [fetch] });
    expect(changed.labels).toEqual({ ...plain.labels, team: "platform" });
    expect(changed.containers.map(({ name }) => name)).toEqual(["rollback-controller", "fetch"]);
    expect([changed.writable, changed.files]).toEqual([["/data", "/tmp", "/opt/plugins"], plain.files]);
    expect(podOfChart(more, "Deployment", "slipway-metrics-aggregator")).toEqual(podOf("metrics-aggregator"));
  });

  test("are put where `defaults` say, those of jobs and of a service with tolerations of its own, too", async () => {
    const taint = { key: "pool", operator: "Exists" };
    const all = { nodeSelector: { pool: "slipway" }, tolerations: [taint], podLabels: { team: "platform" } };
    const own = { nodeSelector: { disk: "ssd" }, tolerations: [taint, { key: "b" }], podLabels: { team: "regions" } };
    const tokens = { enabled: true, own: "here", ...own };
    const more = await render(
      `defaults=${JSON.stringify({ ...all, priorityClassName: "high" })}`,
      `regionTokens=${JSON.stringify(tokens)}`,
    );
    const prepare = podOfChart(more, "Job", "slipway-prepare");
    const job = more.find(({ kind, metadata }) => kind === "Job" && metadata.name.startsWith("slipway-region-tokens-"));
    const renew = podOfChart(more, "Job", job?.metadata.name ?? "");
    const controller = podOfChart(more, "Deployment", "slipway-rollback-controller");

    const { podLabels: labels, ...placed } = all;
    expect(prepare).toMatchObject({ ...placed, labels, priorityClassName: "high" });
    expect(prepare.tolerations).toEqual([taint]);
    expect(renew).toMatchObject({
      ...{ nodeSelector: { pool: "slipway", disk: "ssd" }, tolerations: own.tolerations, priorityClassName: "high" },
      labels: { team: "regions", "app.kubernetes.io/component": "region-tokens" },
    });
    expect(renew.tolerations?.length).toBe(2);
    expect(controller.tolerations).toEqual([taint, ...(podOf("rollback-controller").tolerations ?? [])]);
    expect(controller.tolerations?.length).toBe(3);
  });

  test("are the same where values are those of an older release, which had none of what has come since", async () => {
    const chart = join(folder, "older");
    cpSync(join(root, "deploy/helm/slipway"), chart, { recursive: true, dereference: true });
    const { image, publicUrl, secrets, urlKeys } = z
      .looseObject({ image: z.looseObject({ repository: z.string() }), publicUrl: z.string() })
      .parse(readYaml("deploy/helm/slipway/values.yaml"));
    const older = { image: { repository: image.repository }, publicUrl, secrets, urlKeys, services: {} };
    writeFileSync(join(chart, "values.yaml"), JSON.stringify(older));
    const set = ["builds.executor=kubernetes", "regionTokens.enabled=true", "regionTokens.own=here"];
    const on = ["dashboards", "serviceMonitor", "prometheusRule"].map((name) => `${name}.enabled=true`);
    const args = [...set, ...on].flatMap((value) => ["--set", value]);

    expect(await renderChart(part!, folder, chart, ...args)).toEqual(await render(...set, ...on));
  });

  test("tell the build-service which nodes take steps, and what runs them there", async () => {
    const tolerations = [{ key: "pool", operator: "Equal", value: "builds for steps", effect: "NoSchedule" }];
    const nodeSelector = { pool: "builds", "a.example/disk": "ssd" };
    const builds = { nodeSelector, tolerations, runtimeClassName: "gvisor" };
    const more = await render("builds.executor=kubernetes", `builds.kubernetes=${JSON.stringify(builds)}`);
    const place = readKubernetesUrl(podOfChart(more, "Deployment", "slipway-build-service").env.SLIPWAY_EXECUTOR ?? "");

    expect(place).toMatchObject({ nodeSelector, tolerations, runtimeClass: "gvisor", diskMiB: 4096 });
    expect(readKubernetesUrl(podOf("build-service").env.SLIPWAY_EXECUTOR ?? "")).toMatchObject({
      ...{ nodeSelector: undefined, tolerations: undefined, runtimeClass: undefined },
    });
  });

  test("are told which environments are production, and that none is only where that is said", async () => {
    const production = async (...values: string[]) =>
      podOfChart(await render(...values), "Deployment", "slipway-deployment-orchestrator").env.SLIPWAY_PRODUCTION;

    expect(await production("environments[0]=dev", "environments[1]=live", "production[0]=live")).toBe("live");
    expect(await production("environments[0]=dev", "production[0]=none")).toBe("none");
  });
});
