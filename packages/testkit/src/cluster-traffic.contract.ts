import { describe, expect, test } from "vitest";
import { type ClusterStage, type ClusterWorld, grant, manifest, unproven, v1, v2, v3 } from "./cluster-stage.ts";

/** Opening the fence and raising. */
export function trafficContract(world: () => ClusterWorld, stage: ClusterStage): void {
  const { freshTarget, canaryUnderWay, setWeights, toV2, backToV1, edit } = stage;

  describe("the fence", () => {
    test("opens on a region that knows nothing of the service, without moving a request", async () => {
      const target = freshTarget();
      expect(await world().region.readTraffic(target)).toMatchObject({ exists: false, fence: null, weights: {} });

      expect(await world().region.openFence(target, { ...grant(1), baseline: null })).toEqual({
        kind: "opened",
        seq: 1,
      });

      expect(await world().region.readTraffic(target)).toMatchObject({
        exists: true,
        fence: { epoch: 1, seq: 1, gate: "open", holder: "D-1" },
        weights: { orders: 100 },
        liveVersion: null,
        paused: null,
      });
    });

    test("opens once per epoch, however often it is asked", async () => {
      const target = freshTarget();
      const first = await world().region.openFence(target, { ...grant(3), baseline: null });

      expect(await world().region.openFence(target, { ...grant(3), baseline: null })).toEqual(first);
      expect(await world().region.openFence(target, { ...grant(2), baseline: null })).toMatchObject({ kind: "stale" });
    });

    test("stays shut for its epoch and opens again only with a higher one", async () => {
      const target = await canaryUnderWay();
      await world().region.lower(target, backToV1());

      const again = await world().region.openFence(target, { ...grant(2), baseline: v1 });
      expect(again).toMatchObject({ kind: "stale", fence: { epoch: 2, gate: "shut" } });
      const next = await world().region.openFence(target, { ...grant(3), baseline: v1 });
      expect(next.kind).toBe("opened");
      expect((await world().region.readTraffic(target)).weights).toEqual({ orders: 0, [v1]: 100 });
    });

    test("a lowering where nothing exists yet shuts all the same, so that a late opening finds it shut", async () => {
      const target = freshTarget();

      expect(await world().region.lower(target, { ...grant(4), baseline: null, canary: v1 })).toMatchObject({
        kind: "shut",
      });

      const late = await world().region.openFence(target, { ...grant(4), baseline: null });
      expect(late).toMatchObject({ kind: "stale", fence: { epoch: 4, gate: "shut" } });
    });
  });

  describe("raising", () => {
    test("sets both weights and the next seq in one write", async () => {
      const target = await canaryUnderWay();
      const before = await world().region.readTraffic(target);

      const raised = await world().region.raise(target, toV2(5));

      expect(raised).toEqual({ kind: "raised", seq: (before.fence?.seq ?? 0) + 1 });
      const after = await world().region.readTraffic(target);
      expect(after.weights).toEqual({ orders: 0, [v1]: 95, [v2]: 5 });
      expect(after.fence).toEqual({ epoch: 2, seq: (before.fence?.seq ?? 0) + 1, gate: "open", holder: "D-2" });
      expect(after.liveVersion).toBe(v1);
    });

    test("asked twice, is written once", async () => {
      const target = await canaryUnderWay();
      const first = await world().region.raise(target, toV2(5));

      expect(await world().region.raise(target, toV2(5))).toEqual(first);
    });

    test("is refused above 5% of production for what is not proven, and only there", async () => {
      const target = await canaryUnderWay();

      expect(await world().region.raise(target, toV2(25, unproven))).toMatchObject({
        kind: "refused",
        why: "unproven",
      });
      expect(await world().region.raise(target, toV2(5, unproven))).toMatchObject({ kind: "raised" });
      const staging = { production: false, proven: false };
      expect(await world().region.raise(target, toV2(25, staging))).toMatchObject({ kind: "raised" });
    });

    test("is refused while no pod of the canary is ready", async () => {
      const target = await canaryUnderWay();
      await world().region.ensureWorkload(target, manifest(target, v3), grant(2));

      const refused = await world().region.raise(target, { ...toV2(5), canary: v3 });

      expect(refused).toMatchObject({ kind: "refused", why: "not_ready" });
      expect((await world().region.readTraffic(target)).weights[v3] ?? 0).toBe(0);
    });

    test("is refused for another epoch, for a shut gate and where there is no fence", async () => {
      const target = await canaryUnderWay();

      expect(await world().region.raise(target, { ...toV2(5), ...grant(1) })).toMatchObject({ why: "stale" });
      expect(await world().region.raise(target, { ...toV2(5), ...grant(3) })).toMatchObject({ why: "shut" });
      await world().region.lower(target, backToV1());
      expect(await world().region.raise(target, toV2(5))).toMatchObject({ why: "shut" });
      await edit(target, { metadata: { annotations: { "slipway.dev/fence": null } } });
      expect(await world().region.raise(target, toV2(5))).toMatchObject({ why: "shut", traffic: { fence: null } });
      expect(await world().region.raise(freshTarget(), toV2(5))).toMatchObject({ why: "shut" });
    });

    test("reports a canary that a person lowered, and leaves it lowered", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(25));
      await setWeights(target, { orders: 0, [v1]: 100, [v2]: 0 });

      const refused = await world().region.raise(target, toV2(50));

      expect(refused).toMatchObject({ kind: "refused", why: "drifted" });
      expect((await world().region.readTraffic(target)).weights[v2]).toBe(0);
    });
  });
}
