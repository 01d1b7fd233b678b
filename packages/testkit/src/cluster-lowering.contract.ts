import type { WatchedTraffic } from "@slipway/cluster";
import type { Epoch } from "@slipway/kernel";
import { describe, expect, test } from "vitest";
import { type ClusterStage, type ClusterWorld, grant, manifest, proven, v1, v2, v3 } from "./cluster-stage.ts";
import { until } from "./until.ts";

/** Lowering, the pause that stops everything else, and watching. */
export function loweringContract(world: () => ClusterWorld, stage: ClusterStage): void {
  const { freshTarget, serving, canaryUnderWay, httpRoutes, toV2, backToV1, vsPath, edit } = stage;

  describe("lowering", () => {
    test("takes everything back and shuts, in one write", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(50));

      const result = await world().region.lower(target, backToV1());

      const after = await world().region.readTraffic(target);
      expect(result).toEqual({ kind: "shut", seq: after.fence?.seq });
      expect(after.fence).toMatchObject({ epoch: 2, gate: "shut" });
      expect(after.weights).toEqual({ orders: 0, [v1]: 100, [v2]: 0 });
      expect(await world().region.lower(target, backToV1())).toEqual(result);
    });

    test("works with a newer epoch without opening first, and not with an older one", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(50));

      expect(await world().region.lower(target, backToV1(1))).toMatchObject({ kind: "stale", fence: { epoch: 2 } });
      expect(await world().region.lower(target, backToV1(3))).toMatchObject({ kind: "shut" });
      expect((await world().region.readTraffic(target)).fence).toMatchObject({ epoch: 3, gate: "shut", holder: "D-3" });
    });

    test("takes the base Service back when it had followed already", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(100));
      await world().region.follow(target, { epoch: 2 as Epoch, version: v2 });
      expect((await world().region.readTraffic(target)).liveVersion).toBe(v2);

      await world().region.lower(target, backToV1(3));

      expect((await world().region.readTraffic(target)).liveVersion).toBe(v1);
    });

    test("of a first version leaves it without requests, also through the base Service", async () => {
      const target = freshTarget();
      await world().region.openFence(target, { ...grant(1), baseline: null });
      await serving(target, v1, 1);
      const first = { ...grant(1), baseline: null, canary: v1 };
      await world().region.raise(target, { ...first, percent: 100, exposure: proven });
      await world().region.follow(target, { epoch: 1 as Epoch, version: v1 });

      await world().region.lower(target, first);

      const after = await world().region.readTraffic(target);
      expect(after).toMatchObject({ liveVersion: null, weights: { orders: 100, [v1]: 0 } });
    });

    test("leaves other people's routes and fields alone, and empties our own side routes", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(5));
      const [main] = (await httpRoutes(target)) as [object];
      const legacy = { name: "legacy", match: [{ uri: { prefix: "/v0" } }], route: [{ destination: { host: v2 } }] };
      const header = {
        name: "slipway-header",
        match: [{ headers: { "x-canary": { exact: "1" } } }],
        route: [{ destination: { host: v2 }, weight: 100 }],
        retries: { attempts: 2 },
      };
      const mirrored = { ...main, mirror: { host: v2 }, mirrorPercentage: { value: 50 } };
      await edit(target, { spec: { exportTo: ["."], http: [legacy, header, mirrored] } });

      await world().region.lower(target, backToV1());

      const [first, second, third] = (await httpRoutes(target)) as [object, object, object];
      expect(first).toEqual(legacy);
      expect(second).toMatchObject({
        retries: { attempts: 2 },
        route: [
          { destination: { host: v2 }, weight: 0 },
          { destination: { host: v1 }, weight: 100 },
        ],
      });
      expect(third).toMatchObject({ mirrorPercentage: { value: 0 } });
      expect(await world().api("GET", vsPath(target))).toMatchObject({ spec: { exportTo: ["."] } });
    });
  });

  describe("a pause", () => {
    test("stops every write but a lowering one", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(5));
      await edit(target, { metadata: { annotations: { "slipway.dev/paused": "incident 12" } } });
      const before = await world().region.readTraffic(target);
      expect(before.paused).toBe("incident 12");
      const epoch = 2 as Epoch;
      const paused = { kind: "refused", why: "paused", detail: "incident 12" };

      expect(await world().region.raise(target, toV2(25))).toMatchObject({ kind: "refused", why: "paused" });
      expect(await world().region.openFence(target, { ...grant(3), baseline: v1 })).toEqual({
        kind: "paused",
        reason: "incident 12",
      });
      expect(await world().region.ensureWorkload(target, manifest(target, v3), grant(2))).toEqual(paused);
      expect(await world().region.scaleWorkload(target, v2, 5, { epoch })).toEqual(paused);
      expect(await world().region.follow(target, { epoch, version: v2 })).toEqual(paused);
      expect(await world().region.retire(target, v3, { epoch })).toEqual(paused);
      expect(await world().region.readTraffic(target)).toEqual(before);
      expect(await world().region.lower(target, backToV1())).toMatchObject({ kind: "shut" });
      expect((await world().region.readTraffic(target)).weights[v2]).toBe(0);
    });
  });

  describe("watching", () => {
    test("tells the present state first and then each change, in order", async () => {
      const target = await canaryUnderWay();
      const seen: WatchedTraffic[] = [];
      const watch = world().region.watchTraffic(target, (traffic) => seen.push(traffic));
      await until(() => seen.length > 0, { what: "the first state" });
      expect(seen[0]?.weights[v1] ?? seen[0]?.weights.orders).toBe(100);

      await world().region.raise(target, toV2(5));
      await until(() => seen.at(-1)?.weights[v2] === 5, { what: "the raise" });
      await world().region.lower(target, backToV1());
      await until(() => seen.at(-1)?.fence?.gate === "shut", { what: "the lowering" });
      await watch.stop();

      const told = seen.length;
      await world().region.openFence(target, { ...grant(3), baseline: v1 });
      expect(seen.length).toBe(told);
      expect(seen.map(({ fence }) => fence?.seq ?? 0)).toEqual(
        seen.map(({ fence }) => fence?.seq ?? 0).toSorted((a, b) => a - b),
      );
    });

    test("tells of an object that appears and goes", async () => {
      const target = freshTarget();
      const seen: WatchedTraffic[] = [];
      const watch = world().region.watchTraffic(target, (traffic) => seen.push(traffic));
      await until(() => seen.length === 1, { what: "the empty state" });

      await world().region.openFence(target, { ...grant(1), baseline: null });
      await until(() => seen.at(-1)?.exists === true, { what: "the object" });
      await world().api("DELETE", vsPath(target));
      await until(() => seen.at(-1)?.exists === false, { what: "its end" });
      await watch.stop();
    });
  });
}
