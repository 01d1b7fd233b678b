import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownerOf, platformServices } from "@slipway/client";
import * as contracts from "@slipway/contracts";
import { realPart } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { worksWith } from "./calls.ts";
import { type Rendered, renderWith } from "./helm.ts";
import { account, podOfChart, restricted } from "./pod.ts";
import { read, servicesOfTree } from "./tree.ts";

const part = realPart("helm");
const services = [...servicesOfTree().keys()];
const routes = [...read("packages/host/src/health.ts").matchAll(/app\.get\("([^"]+)"/g)].map(([, path]) => path);

describe.skipIf(part === undefined)("the chart's pods", () => {
  let folder: string;
  let objects: readonly Rendered[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "slipway-pods-"));
    objects = await render(
      ...["serviceMonitor.enabled=true", "builds.executor=kubernetes"],
      ...["urlKeys.slack=slack-url", "urlKeys.cache=cache-url"],
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const render = (...values: string[]) => renderWith(part!, folder, values);
  const one = (kind: string, name: string) => {
    const found = objects.filter((each) => each.kind === kind && each.metadata.name === name);
    expect(found.length, `${kind} ${name}`).toBe(1);
    return found[0]!;
  };
  const podOf = (service: string) => podOfChart(objects, "Deployment", `slipway-${service}`);

  test("run one service each, without a right, a token of the cluster, or a place to write to but its data and /tmp", () => {
    for (const service of services) {
      const pod = podOf(service);
      // Where steps are Jobs the build-service asks the API of its own cluster.
      const asks = service === "build-service";
      expect([service, pod.containers.length, pod.container.args]).toEqual([service, 1, [service]]);
      expect([service, pod.container.securityContext]).toEqual([service, restricted]);
      expect(pod.securityContext, service).toMatchObject({ ...account, seccompProfile: { type: "RuntimeDefault" } });
      expect([service, pod.automountServiceAccountToken]).toEqual([service, asks]);
      expect([service, pod.serviceAccountName]).toEqual([service, `slipway-${service}`]);
      expect(one("ServiceAccount", `slipway-${service}`), service).toMatchObject({
        automountServiceAccountToken: false,
      });
      expect([service, pod.writable]).toEqual([service, ["/data", "/tmp"]]);
    }
  });

  test("are asked at paths that every service answers, on the port that it listens on", () => {
    for (const service of services) {
      const { container, env, labels } = podOf(service);
      const asked = [container.startupProbe, container.readinessProbe, container.livenessProbe].map(
        (probe) => probe?.httpGet,
      );
      // The rollback-controller lowers without its database.
      const once = service === "rollback-controller" ? "/servingz" : "/readyz";
      expect([service, asked]).toEqual([
        service,
        [once, "/servingz", "/livez"].map((path) => ({ path, port: "http" })),
      ]);
      expect(routes).toEqual(expect.arrayContaining(asked.map((get) => get?.path)));
      expect([service, container.ports]).toEqual([
        service,
        [{ name: "http", containerPort: Number(env.SLIPWAY_PORT) }],
      ]);
      expect(one("Service", `slipway-${service}`).spec, service).toEqual({
        selector: matched(service),
        ports: [{ name: "http", port: 7400, targetPort: "http" }],
      });
      expect(labels).toMatchObject(matched(service));
      for (const other of services)
        expect(env[`SLIPWAY_${other.toUpperCase().replaceAll("-", "_")}_URL`]).toBe(`http://slipway-${other}:7400`);
    }
  });

  /** Which pods a Deployment calls its own. */
  const matched = (service: string) =>
    z
      .looseObject({ selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }) })
      .parse(one("Deployment", `slipway-${service}`).spec).selector.matchLabels;

  test("are given the files that they read, where they read them, and no more", () => {
    for (const [service, { schema }] of servicesOfTree()) {
      const works = worksWith(service);
      const urls = { database: true, bus: true, lock: works.has("lock"), objects: works.has("objects") };
      const keys = { ...urls, cache: works.has("cache"), slack: works.has("slack") };
      const given = Object.entries(keys).flatMap(([key, has]) => (has ? [key] : []));
      const { files, env } = podOf(service);
      const regions = service === "rollback-controller" ? "slipway-rollback-regions" : "slipway-regions";

      expect([service, files]).toEqual([
        service,
        {
          [`/data/tokens/${service}`]: `slipway-tokens:${service}`,
          [`/data/secrets/postgres/slipway_${schema}`]: `slipway-postgres:slipway_${schema}`,
          ...(["build", "deployment"].includes(schema) && {
            "/data/secrets/values.key": "slipway-values-key:values.key",
          }),
          ...Object.fromEntries(given.map((key) => [`/etc/slipway/urls/${key}`, `slipway-urls:${key}-url`])),
          ...(works.has("regions") && { "/etc/slipway/regions": regions }),
        },
      ]);
      const variables = given.map((key) => [
        `SLIPWAY_${key === "slack" ? "SLACK_WEBHOOK" : key.toUpperCase()}_URL_FILE`,
        `/etc/slipway/urls/${key}`,
      ]);
      expect([
        service,
        Object.entries(env)
          .filter(([name]) => name.endsWith("_FILE"))
          .sort(),
      ]).toEqual([service, variables.sort()]);
      expect([service, env.SLIPWAY_REGIONS]).toEqual([
        service,
        works.has("regions") ? "/etc/slipway/regions/regions.yaml" : undefined,
      ]);
      expect([service, env.SLIPWAY_EXECUTOR?.startsWith("kubernetes:?")]).toEqual([
        service,
        service === "build-service" ? true : undefined,
      ]);
      expect(env).toMatchObject({ SLIPWAY_DATA: "/data", SLIPWAY_HOST: "0.0.0.0", SLIPWAY_PREPARED: "true" });
      expect(env).toMatchObject({
        SLIPWAY_URL: "https://slipway.example.com",
        SLIPWAY_ENVIRONMENTS: "dev,staging,prod",
      });
      expect(env).toMatchObject({ SLIPWAY_PRODUCTION: "prod", SLIPWAY_MINIMUM_BAKE: "10m", SLIPWAY_LOG_LEVEL: "info" });
    }
  });

  test("start after a job that prepares for them as the administrator, before each installation and upgrade", () => {
    const { container, env, files, ...pod } = podOfChart(objects, "Job", "slipway-prepare");

    expect(one("Job", "slipway-prepare").metadata.annotations).toEqual({
      "helm.sh/hook": "pre-install,pre-upgrade",
      "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    });
    expect([container.args, container.securityContext]).toEqual([["prepare"], restricted]);
    expect(pod).toMatchObject({ automountServiceAccountToken: false, restartPolicy: "Never", writable: ["/tmp"] });
    expect(pod.securityContext).toMatchObject({ ...account, seccompProfile: { type: "RuntimeDefault" } });
    expect(files).toEqual({
      "/data/tokens": "slipway-tokens",
      "/data/secrets/postgres": "slipway-postgres",
      "/etc/slipway/urls/adminDatabase": "slipway-urls:admin-database-url",
    });
    expect(env).toMatchObject({ SLIPWAY_DATA: "/data", SLIPWAY_DATABASE_URL_FILE: "/etc/slipway/urls/adminDatabase" });
  });

  test("are called from outside at every path of the API that is theirs, and at nothing that is for the cluster alone", () => {
    const Backend = z.object({
      service: z.object({ name: z.string(), port: z.strictObject({ name: z.literal("http") }) }),
    });
    const Path = z.object({ path: z.string(), pathType: z.literal("Prefix"), backend: Backend });
    const { rules } = z
      .looseObject({ rules: z.array(z.object({ host: z.string(), http: z.object({ paths: z.array(Path) }) })) })
      .parse(one("Ingress", "slipway").spec);
    const leads = (path: string) =>
      rules
        .flatMap(({ http }) => http.paths)
        .find((rule) => path === rule.path || path.startsWith(`${rule.path}/`))
        ?.backend.service.name.replace(/^slipway-/, "");
    const paths = Object.values(contracts).flatMap((value) =>
      typeof value === "object" && value !== null && "path" in value && typeof value.path === "string"
        ? [value.path]
        : [],
    );

    expect(rules.map(({ host }) => host)).toEqual(["slipway.example.com"]);
    expect(paths.length).toBeGreaterThan(30);
    const audits = platformServices.map((service) => contracts.verifyAuditOf(service).path);
    for (const path of [...paths, ...audits, "/v2", "/v2/", "/v2/shop/manifests/x", "/webhooks/github", "/inbox"])
      expect([path, leads(path)]).toEqual([path, ownerOf(path)]);
    for (const path of ["/docs", "/openapi.json"])
      expect([path, leads(path)]).toEqual([path, "deployment-orchestrator"]);
    for (const path of routes) expect([path, leads(String(path))]).toEqual([path, undefined]);
  });

  test("are scraped where they tell their figures, with their own word for the service", () => {
    const { selector, endpoints } = z
      .looseObject({ selector: z.unknown(), endpoints: z.array(z.looseObject({})) })
      .parse(one("ServiceMonitor", "slipway").spec);

    expect(routes).toContain("/metrics");
    // `component`: alerts on requests and on processes are told apart by it.
    const [source, component] = ["__meta_kubernetes_service_label_app_kubernetes_io_component", "component"];
    expect(endpoints).toEqual([
      {
        ...{ port: "http", path: "/metrics", interval: "15s", honorLabels: true },
        relabelings: [{ sourceLabels: [source], targetLabel: component }],
      },
    ]);
    expect(read("deploy/prometheus/alerts.yml")).toContain(`by (${component})`);
    for (const service of services)
      expect(one("Service", `slipway-${service}`).metadata).toMatchObject({
        labels: {
          ...z.object({ matchLabels: z.record(z.string(), z.string()) }).parse(selector).matchLabels,
          "app.kubernetes.io/component": service,
        },
      });
  });

  test("are replaced one after the other, leave once nobody sends them requests, and are ended for a silence of a minute alone", () => {
    for (const service of services) {
      const { container, terminationGracePeriodSeconds } = podOf(service);
      const times = (probe: Record<string, unknown> | undefined) => [
        ...[probe?.periodSeconds, probe?.timeoutSeconds, probe?.failureThreshold, probe?.initialDelaySeconds],
      ];
      expect([service, one("Deployment", `slipway-${service}`).spec]).toEqual([
        service,
        expect.objectContaining({
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        }),
      ]);
      expect([service, container.lifecycle, terminationGracePeriodSeconds]).toEqual([
        ...[service, { preStop: { sleep: { seconds: 5 } } }, 40],
      ]);
      expect([service, times(container.livenessProbe)]).toEqual([service, [10, 5, 6, undefined]]);
      expect([service, times(container.readinessProbe)]).toEqual([service, [3, 5, 2, undefined]]);
      // An hour: what it waits for is mended by people.
      expect([service, times(container.startupProbe)]).toEqual([service, [3, 5, 1200, undefined]]);
    }
  });

  test("of the rollback-controller leave a node that is lost after 15 seconds", () => {
    const gone = { operator: "Exists", effect: "NoExecute", tolerationSeconds: 15 };

    expect(podOf("rollback-controller").tolerations).toEqual(
      ["not-ready", "unreachable"].map((what) => ({ key: `node.kubernetes.io/${what}`, ...gone })),
    );
  });

  test("are kept and scaled by objects that mean them", () => {
    for (const service of services)
      expect(one("PodDisruptionBudget", `slipway-${service}`).spec, service).toMatchObject({
        selector: { matchLabels: matched(service) },
        ...{ maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" },
      });
    for (const service of ["artifact-registry", "deployment-orchestrator"])
      expect(one("HorizontalPodAutoscaler", `slipway-${service}`).spec, service).toMatchObject({
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: `slipway-${service}` },
        ...{ minReplicas: 2, maxReplicas: 4 },
      });
  });
});
