import { expect, test } from "vitest";
import { applyStrategicPatch } from "./strategic-merge.ts";

const [a, b] = [
  { name: "A", value: "1" },
  { name: "B", value: "2" },
];
const main = { name: "main", image: "orders:1", env: [a, b], args: ["x", "y"] };
const side = { name: "side", image: "side:1" };
const pod = {
  metadata: { finalizers: ["a", "b"], labels: { app: "orders" } },
  spec: {
    containers: [main, side],
    tolerations: [{ key: "a" }],
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } },
  },
};
const patched = (spec: object) => applyStrategicPatch(pod, { spec }).spec as Record<string, unknown>;

test("items of a list of named things are merged by their names, in the order of the patch, with the others where they stood", () => {
  const changed = { name: "B", value: "3" };
  const added = { name: "C", value: "4" };
  const { containers } = patched({
    containers: [
      { name: "main", image: "orders:2", env: [changed, added] },
      { name: "new", image: "new:1" },
    ],
  });

  expect(containers).toEqual([
    { ...main, image: "orders:2", env: [a, changed, added] },
    { name: "new", image: "new:1" },
    side,
  ]);
});

test.each([
  ["an item is taken away", { containers: [{ name: "side", $patch: "delete" }] }, ["main"]],
  ["the whole list is replaced", { containers: [{ $patch: "replace" }, { name: "only" }] }, ["only"]],
  ["the list is ordered", { "$setElementOrder/containers": [{ name: "side" }, { name: "main" }] }, ["side", "main"]],
  ["what the order does not name stays", { "$setElementOrder/containers": [{ name: "side" }] }, ["main", "side"]],
])("by a directive %s", (_what, spec, names) => {
  expect((patched(spec).containers as { name: string }[]).map(({ name }) => name)).toEqual(names);
});

test("lists of other things are replaced whole, null takes a field away, and maps are merged", () => {
  expect(patched({ tolerations: [{ key: "b" }] })).toMatchObject({ tolerations: [{ key: "b" }] });
  expect(patched({ strategy: null })).not.toHaveProperty("strategy");
  expect(patched({ containers: [{ name: "main", args: ["z"] }] }).containers).toMatchObject([{ args: ["z"] }, {}]);
  expect(applyStrategicPatch(pod, { metadata: { labels: { tier: "web" } } }).metadata).toMatchObject({
    labels: { app: "orders", tier: "web" },
  });
});

test("a map keeps only the fields that are retained, is replaced, or is taken away", () => {
  expect(patched({ strategy: { $retainKeys: ["type"], type: "Recreate" } }).strategy).toEqual({ type: "Recreate" });
  expect(patched({ strategy: { $patch: "replace", type: "Recreate" } }).strategy).toEqual({ type: "Recreate" });
  expect(patched({ strategy: { $patch: "delete" } })).not.toHaveProperty("strategy");
});

test("finalizers are added to, and taken away by name", () => {
  const after = (metadata: object) => applyStrategicPatch(pod, { metadata }).metadata;

  expect(after({ finalizers: ["b", "c"] })).toMatchObject({ finalizers: ["a", "b", "c"] });
  expect(after({ "$deleteFromPrimitiveList/finalizers": ["a"] })).toMatchObject({ finalizers: ["b"] });
});

test("ports are named by their own number, in containers and in Services", () => {
  const service = { ports: [{ port: 80, targetPort: 8080 }, { port: 90 }] };
  const container = { ports: [{ containerPort: 1 }] };

  expect(applyStrategicPatch(service, { ports: [{ port: 80, targetPort: 9090 }] })).toEqual({
    ports: [{ port: 80, targetPort: 9090 }, { port: 90 }],
  });
  expect(applyStrategicPatch(container, { ports: [{ containerPort: 2 }] })).toEqual({
    ports: [{ containerPort: 2 }, { containerPort: 1 }],
  });
});

test("what was there before is not touched", () => {
  const before = structuredClone(pod);
  patched({ containers: [{ name: "main", env: [{ name: "A", $patch: "delete" }] }] });
  expect(pod).toEqual(before);
});
