import type { Epoch } from "@slipway/kernel";
import { expect, test } from "vitest";
import { isReady, Pod, reasonOf } from "./pod.ts";
import type { WorkloadManifest } from "./port.ts";
import { baseService, liveVersionOf, ServiceObject, secretObject, workloadObjects } from "./workload.ts";

const manifest = {
  name: "orders-1111111-aaaaa",
  service: "orders",
  environment: "prod",
  image: `registry/orders@sha256:${"0".repeat(64)}`,
  replicas: 3,
  env: { LOG_LEVEL: "info", PORT: "1" },
  ready: { path: "/ready", timeoutMs: 45_000 },
  resources: { cpu: "250m", memory: "128Mi" },
  graceMs: 7_500,
  annotations: { "slipway.dev/commit": "1111111" },
} as unknown as WorkloadManifest;
const traits = { isRestricted: false };
const grant = { epoch: 7 as Epoch, deployment: "D-9" };

test("a version's pods are selected by its own Service and Deployment alone", () => {
  const { deployment, service } = workloadObjects(manifest, grant, traits);
  const spec = deployment.spec as {
    selector: { matchLabels: object };
    template: { metadata: { labels: object } };
  };

  expect(service.spec).toMatchObject({ selector: { "slipway.dev/version": manifest.name } });
  expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
});

test("the container listens on the port that it is told, whatever the service's own env says", () => {
  const { deployment } = workloadObjects(manifest, grant, traits);

  expect(deployment.spec).toMatchObject({
    replicas: 3,
    template: {
      spec: {
        terminationGracePeriodSeconds: 8,
        containers: [
          {
            image: manifest.image,
            env: [
              { name: "LOG_LEVEL", value: "info" },
              { name: "PORT", value: "8080" },
            ],
            ports: [{ containerPort: 8080 }],
            readinessProbe: { httpGet: { path: "/ready" } },
            resources: { limits: { memory: "128Mi" } },
          },
        ],
      },
    },
  });
});

test("pods name the Secret with which the region's nodes pull images, where there is one", () => {
  const podSpec = (pullSecret?: string) => {
    const { deployment } = workloadObjects(manifest, grant, { ...traits, pullSecret });
    return (deployment.spec as { template: { spec: object } }).template.spec;
  };

  expect(podSpec("slipway-pull")).toMatchObject({ imagePullSecrets: [{ name: "slipway-pull" }] });
  expect(podSpec()).not.toHaveProperty("imagePullSecrets");
});

test("a base Service without a live version selects no pod at all", () => {
  const target = { service: manifest.service, environment: manifest.environment };
  const stored = { uid: "u", resourceVersion: "1" };
  const parse = (object: { metadata: object }) =>
    ServiceObject.parse({ ...object, metadata: { ...object.metadata, ...stored } });

  expect(liveVersionOf(parse(baseService(target, null, grant.epoch)))).toBeNull();
  expect(baseService(target, null, grant.epoch).spec).toMatchObject({ selector: { "slipway.dev/version": "none" } });
  expect(liveVersionOf(parse(baseService(target, manifest.name, grant.epoch)))).toBe(manifest.name);
  expect(liveVersionOf(null)).toBeNull();
});

test("a pod that is going away is not ready, and says why it was not", () => {
  const ready = { conditions: [{ type: "Ready", status: "True" }] };
  const crashed = {
    phase: "Running",
    containerStatuses: [{ name: "app", state: { terminated: { reason: "Error", exitCode: 3 } } }],
  };

  expect(isReady(Pod.parse({ metadata: { name: "a" }, status: ready }))).toBe(true);
  const going = { name: "a", deletionTimestamp: "2026-01-01T00:00:00Z" };
  expect(isReady(Pod.parse({ metadata: going, status: ready }))).toBe(false);
  expect(isReady(Pod.parse({ metadata: { name: "a" } }))).toBe(false);
  expect(reasonOf(Pod.parse({ metadata: { name: "a" }, status: crashed }))).toBe("a: Error, exit code 3");
  expect(reasonOf(Pod.parse({ metadata: { name: "a" } }))).toBe("a: Pending");
});

test("a version's Secret is refused a half: every name needs its value", () => {
  const withSecrets = { ...manifest, secrets: { DB_URL: "r1", KEY: "r2" } };

  expect(() => secretObject(withSecrets, grant, { DB_URL: "x" })).toThrow(/no value for its secret KEY/);
  expect(secretObject(withSecrets, grant, { DB_URL: "x", KEY: "y", OTHER: "z" }).data).toEqual({
    DB_URL: "eA==",
    KEY: "eQ==",
  });
});
