import { type RealRegion, realPart, startRegion } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyStrategicPatch } from "../../src/api/strategic-merge.ts";

const [etcd, kubernetes] = [realPart("etcd"), realPart("kubernetes")];
const parts = etcd && kubernetes ? { etcd, kubernetes } : undefined;

const deployments = "/apis/apps/v1/namespaces/default/deployments";
const strategic = "application/strategic-merge-patch+json";

const labels = { app: "orders" };
const containers = [
  {
    ...{ name: "main", image: "orders:1", args: ["x", "y"], ports: [{ containerPort: 80 }, { containerPort: 90 }] },
    env: ["A", "B", "C"].map((name) => ({ name, value: name })),
    volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
  },
  { name: "side", image: "side:1" },
];
const volumes = [{ name: "tmp", emptyDir: {} }];

/** No pods: nobody is there to run them. */
const made = (name: string) => ({
  ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name, labels, finalizers: ["slipway.dev/a"] } },
  spec: {
    ...{ replicas: 0, selector: { matchLabels: labels } },
    template: { metadata: { labels }, spec: { containers, volumes, tolerations: [{ key: "a", operator: "Exists" }] } },
  },
});
const ofPod = (spec: object) => ({ spec: { template: { spec } } });

describe.skipIf(parts === undefined)("a strategic merge patch comes to the same as on a real API server", () => {
  let real: RealRegion;
  beforeAll(async () => {
    real = await startRegion(parts!);
  });
  afterAll(() => real?.stop());

  test.each([
    ["a container's image", ofPod({ containers: [{ name: "main", image: "orders:2" }] })],
    [
      "a variable more, one changed",
      ofPod({ containers: [{ name: "main", env: [{ name: "D" }, { name: "A", value: "2" }] }] }),
    ],
    ["a variable less", ofPod({ containers: [{ name: "main", env: [{ name: "B", $patch: "delete" }] }] })],
    ["a container less", ofPod({ containers: [{ name: "side", $patch: "delete" }] })],
    [
      "other containers and no volume",
      ofPod({ volumes: null, containers: [{ $patch: "replace" }, { name: "only", image: "only:1" }] }),
    ],
    [
      "another order",
      ofPod({
        "$setElementOrder/containers": [{ name: "side" }, { name: "main" }],
        containers: [{ name: "side", image: "side:2" }],
      }),
    ],
    ["another port", ofPod({ containers: [{ name: "main", ports: [{ containerPort: 91, protocol: "TCP" }] }] })],
    ["other arguments", ofPod({ containers: [{ name: "main", args: ["z"] }] })],
    ["other tolerations", ofPod({ tolerations: [{ key: "b", operator: "Exists" }] })],
    [
      "another kind of volume",
      ofPod({ volumes: [{ $retainKeys: ["name", "hostPath"], name: "tmp", hostPath: { path: "/x" } }] }),
    ],
    ["another strategy", { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } }],
    ["a finalizer more", { metadata: { finalizers: ["slipway.dev/b"] } }],
    ["a finalizer less", { metadata: { "$deleteFromPrimitiveList/finalizers": ["slipway.dev/a"] } }],
  ])("%s", async (what, patch) => {
    const name = what.replaceAll(/[^a-z]+/g, "-");
    const before = (await real.api("POST", deployments, made(name))) as Record<string, unknown>;

    const after = await real.api("PATCH", `${deployments}/${name}`, patch, strategic);

    expect(kept(applyStrategicPatch(before, patch))).toEqual(kept(after));
  });
});

/** Without what the server fills in for itself, whoever patched. */
function kept(object: unknown): unknown {
  const { metadata, spec } = JSON.parse(JSON.stringify(object)) as { metadata: { finalizers?: string[] }; spec: Spec };
  for (const volume of spec.template.spec.volumes ?? []) if (volume.hostPath !== undefined) delete volume.hostPath.type;
  for (const container of spec.template.spec.containers) {
    for (const field of filledIn) delete container[field];
  }
  return { finalizers: metadata.finalizers ?? [], spec };
}

type Spec = {
  template: { spec: { volumes?: { hostPath?: { type?: string } }[]; containers: Record<string, unknown>[] } };
};
const filledIn = ["resources", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy"];
