import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesObject,
  PatchStrategy,
  setHeaderOptions,
  VersionApi,
  Watch,
} from "@kubernetes/client-node";
import { until } from "@slipway/testkit";
import { expect, onTestFinished, test } from "vitest";
import { configMap, deployment, virtualService } from "./support/objects.ts";
import { testRegion } from "./support/region.ts";

const istio = { group: "networking.istio.io", version: "v1", namespace: "prod", plural: "virtualservices" };

async function client(options: Parameters<typeof testRegion>[0] = {}) {
  const region = await testRegion(options);
  const config = new KubeConfig();
  config.loadFromFile(region.kubeconfigPath);
  return { region, config };
}

test("its kubeconfig leads to the region, and prod is where commands go", async () => {
  const { config, region } = await client();

  const { gitVersion } = await config.makeApiClient(VersionApi).getCode();

  expect(gitVersion).toContain("slipway");
  expect(config.getContextObject(config.getCurrentContext())).toMatchObject({ name: "eu-west-1", namespace: "prod" });
  expect(config.getCurrentCluster()?.server).toBe(region.url);
});

test("typed objects are made, changed and deleted", async () => {
  const { config } = await client();
  const core = config.makeApiClient(CoreV1Api);
  const place = { name: "a", namespace: "prod" };

  await core.createNamespacedConfigMap({ namespace: "prod", body: configMap("a", { x: "1" }) });
  const read = await core.readNamespacedConfigMap(place);
  await core.replaceNamespacedConfigMap({ ...place, body: { ...read, data: { x: "2" } } });
  const patch = [{ op: "add", path: "/data/y", value: "3" }];
  const patched = await core.patchNamespacedConfigMap({ ...place, body: patch });

  expect(patched.data).toEqual({ x: "2", y: "3" });
  await expect(core.replaceNamespacedConfigMap({ ...place, body: read })).rejects.toMatchObject({ code: 409 });
  await core.deleteNamespacedConfigMap({ ...place, body: { preconditions: { uid: read.metadata?.uid ?? "" } } });
  await expect(core.readNamespacedConfigMap(place)).rejects.toMatchObject({ code: 404 });
});

test("custom objects take a JSON patch, and 422 for a test that fails", async () => {
  const { config } = await client();
  const custom = config.makeApiClient(CustomObjectsApi);
  await custom.createNamespacedCustomObject({ ...istio, body: virtualService("orders", { a: 100 }) });
  const asJsonPatch = setHeaderOptions("Content-Type", PatchStrategy.JsonPatch);
  const patch = (value: string) => [
    { op: "test", path: "/spec/hosts/0", value },
    { op: "replace", path: "/spec/http/0/route/0/weight", value: 95 },
  ];

  const failing = custom.patchNamespacedCustomObject({ ...istio, name: "orders", body: patch("other") }, asJsonPatch);
  await expect(failing).rejects.toMatchObject({ code: 422 });
  await custom.patchNamespacedCustomObject({ ...istio, name: "orders", body: patch("orders") }, asJsonPatch);

  const list = await custom.listClusterCustomObject({ ...istio });
  expect(list).toMatchObject({ items: [{ spec: { http: [{ route: [{ weight: 95 }] }] } }] });
});

test("a deployment is scaled, and its pods are listed by label", async () => {
  const { config } = await client();
  const apps = config.makeApiClient(AppsV1Api);
  await apps.createNamespacedDeployment({ namespace: "prod", body: deployment("orders", 1) });

  const asMerge = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
  const place = { name: "orders", namespace: "prod" };
  const scale = await apps.patchNamespacedDeploymentScale({ ...place, body: { spec: { replicas: 3 } } }, asMerge);

  expect(scale.spec?.replicas).toBe(3);
  const core = config.makeApiClient(CoreV1Api);
  await until(
    async () => (await core.listNamespacedPod({ namespace: "prod", labelSelector: "app=orders" })).items.length === 3,
    { what: "three pods" },
  );
});

test("its watch sees changes, and says 410 for a version that is forgotten", async () => {
  const { config, region } = await client({ historyLimit: 4 });
  const seen: string[] = [];
  const path = "/api/v1/namespaces/prod/configmaps";
  const note = (type: string, object: KubernetesObject): void => {
    seen.push(`${type} ${object.metadata?.name}`);
  };
  const open = await new Watch(config).watch(path, {}, note, () => undefined);
  onTestFinished(() => open.abort());

  for (const name of ["a", "b", "c", "d", "e", "f", "g"]) await region.send("POST", path, configMap(name));

  await until(() => seen.length === 7, { what: "seven changes" });
  expect(seen).toEqual(["a", "b", "c", "d", "e", "f", "g"].map((name) => `ADDED ${name}`));
  const ended = new Promise<unknown>((resolve) => {
    void new Watch(config).watch(path, { resourceVersion: "1" }, note, resolve).then((late) => {
      onTestFinished(() => late.abort());
    });
  });
  expect(String(await ended)).toMatch(/Gone|Expired|410/);
});
