import { until } from "@slipway/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { configMap, configMaps, pod, podsPath } from "./support/objects.ts";
import { mergePatch, testRegion } from "./support/region.ts";
import { type Watching, watching } from "./support/watching.ts";

const told = ({ seen }: Watching) => seen.map(({ type, object }) => `${type} ${object.metadata.name}`);

test("a watch from a list sees every change after it, and none before", async () => {
  const region = await testRegion();
  const { send } = region;
  await send("POST", configMaps, configMap("before"));
  const { resourceVersion } = (await send("GET", configMaps)).body.metadata;

  const watch = await watching(region, configMaps, { resourceVersion });
  await send("POST", configMaps, configMap("a"));
  await send("PATCH", `${configMaps}/a`, { data: { x: "1" } }, mergePatch);
  const { body: last } = await send("GET", `${configMaps}/a`);
  await send("DELETE", `${configMaps}/a`);

  await until(() => watch.seen.length === 3, { what: "three events" });
  expect(told(watch)).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
  expect(watch.seen[1]?.object).toEqual(last);
  expect(Number(watch.seen[2]?.object.metadata.resourceVersion)).toBe(Number(last.metadata.resourceVersion) + 1);
});

test("a watch from an older version gets what it missed first", async () => {
  const region = await testRegion();
  const { resourceVersion } = (await region.send("GET", configMaps)).body.metadata;
  await region.send("POST", configMaps, configMap("a"));
  await region.send("DELETE", `${configMaps}/a`);

  const watch = await watching(region, configMaps, { resourceVersion });

  await until(() => watch.seen.length === 2, { what: "two events" });
  expect(told(watch)).toEqual(["ADDED a", "DELETED a"]);
});

test("a watch from 0, and one by name, begin with what there is", async () => {
  const region = await testRegion();
  for (const name of ["a", "b"]) await region.send("POST", configMaps, configMap(name));

  const all = await watching(region, configMaps, { resourceVersion: "0" });
  const one = await watching(region, configMaps, { resourceVersion: "0", fieldSelector: "metadata.name=b" });

  await until(() => all.seen.length === 2 && one.seen.length === 1, { what: "the first objects" });
  expect(told(all)).toEqual(["ADDED a", "ADDED b"]);
  expect(told(one)).toEqual(["ADDED b"]);
});

test("an object that begins or ceases to match a selector is added or deleted", async () => {
  const region = await testRegion();
  const { send } = region;
  await send("POST", podsPath, pod("a", { labels: { live: "no" } }));
  const watch = await watching(region, podsPath, { labelSelector: "live=yes" });

  await send("PATCH", `${podsPath}/a`, { metadata: { labels: { live: "yes" } } }, mergePatch);
  await send("PATCH", `${podsPath}/a`, { metadata: { annotations: { a: "b" } } }, mergePatch);
  await send("PATCH", `${podsPath}/a`, { metadata: { labels: { live: "no" } } }, mergePatch);

  await until(() => watch.seen.length === 3, { what: "three events" });
  expect(told(watch)).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
  expect(watch.seen[2]?.object.metadata.labels).toEqual({ live: "yes" });
});

test("a watch from a version that is forgotten is 410 Expired", async () => {
  const region = await testRegion({ historyLimit: 8 });
  const { resourceVersion } = (await region.send("POST", configMaps, configMap("a"))).body.metadata;
  for (let x = 0; x < 20; x += 1) {
    await region.send("PATCH", `${configMaps}/a`, { data: { x: String(x) } }, mergePatch);
  }

  const answer = await region.send("GET", `${configMaps}?watch=true&resourceVersion=${resourceVersion}`);

  expect(answer.status).toBe(410);
  expect(answer.body).toMatchObject({ kind: "Status", reason: "Expired", code: 410 });
  expect(answer.body.message).toMatch(/^too old resource version: \d+ \(\d+\)$/);
});

test("a version that this region never gave is 410 too: it is from another life", async () => {
  const region = await testRegion();

  expect((await region.send("GET", `${configMaps}?watch=true&resourceVersion=999999`)).status).toBe(410);
});

test("a watch that ends by time ends with a bookmark of the newest version", async () => {
  const region = await testRegion();
  const watch = await watching(region, configMaps, { allowWatchBookmarks: "true", timeoutSeconds: "1" });
  await region.send("POST", podsPath, pod("elsewhere"));
  const { resourceVersion } = (await region.send("GET", podsPath)).body.metadata;

  await watch.ended;

  expect(watch.seen.at(-1)).toMatchObject({ type: "BOOKMARK", object: { kind: "ConfigMap" } });
  expect(Number(watch.seen.at(-1)?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(resourceVersion));
});

test("streamed lists end with a marked bookmark", async () => {
  const region = await testRegion();
  await region.send("POST", configMaps, configMap("a"));

  const watch = await watching(region, configMaps, {
    ...{ sendInitialEvents: "true", allowWatchBookmarks: "true", resourceVersionMatch: "NotOlderThan" },
  });

  await until(() => watch.seen.length === 2, { what: "the object and the bookmark" });
  const annotations = { "k8s.io/initial-events-end": "true" };
  expect(watch.seen[1]).toMatchObject({ type: "BOOKMARK", object: { metadata: { annotations } } });
});

test("a watch goes on after the server was stopped and started on its folder and port", async () => {
  const first = await testRegion();
  const { body } = await first.send("POST", configMaps, configMap("a"));
  await first.stop();

  const second = await testRegion({ dir: first.dir });
  expect(second.url).toBe(first.url);
  const watch = await watching(second, configMaps, { resourceVersion: body.metadata.resourceVersion });
  await second.send("DELETE", `${configMaps}/a`);

  await until(() => watch.seen.length === 1, { what: "the deletion" });
  expect(told(watch)).toEqual(["DELETED a"]);
});

const writes = fc.array(
  fc.record({ name: fc.constantFrom("a", "b", "c"), act: fc.constantFrom("create", "change", "delete") }),
  { minLength: 1, maxLength: 25 },
);

test("two watchers see the same changes in the same order, and both can rebuild the list from them", async () => {
  const region = await testRegion();
  const { send } = region;
  const { resourceVersion } = (await send("GET", configMaps)).body.metadata;
  const one = await watching(region, configMaps, { resourceVersion });
  let round = 0;

  const law = fc.asyncProperty(writes, async (sequence) => {
    round += 1;
    // All at once: the order is the server's.
    await Promise.all(
      sequence.map(({ name, act }, index) => {
        if (act === "create") return send("POST", configMaps, configMap(name));
        if (act === "delete") return send("DELETE", `${configMaps}/${name}`);
        return send("PATCH", `${configMaps}/${name}`, { data: { x: `${round}-${index}` } }, mergePatch);
      }),
    );
    const { items, metadata } = (await send("GET", configMaps)).body;
    const two = await watching(region, configMaps, { resourceVersion });
    await until(() => two.seen.length >= one.seen.length && caughtUp(one, items), { what: "both watchers" });
    two.stop();

    expect(two.seen).toEqual(one.seen);
    const versions = one.seen.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    expect(versions.every((version) => version <= Number(metadata.resourceVersion))).toBe(true);
    expect(rebuilt(one)).toEqual(items);
  });

  await fc.assert(law, { numRuns: 8 });
});

function rebuilt({ seen }: Watching): object[] {
  const objects = new Map<string, object>();
  for (const { type, object } of seen) {
    if (type === "DELETED") objects.delete(object.metadata.name);
    else objects.set(object.metadata.name, object);
  }
  return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}

function caughtUp(watch: Watching, items: readonly object[]): boolean {
  return JSON.stringify(rebuilt(watch)) === JSON.stringify(items);
}
