import { describe, expect, test } from "vitest";
import { type ClusterStage, type ClusterWorld, grant, v1, v2 } from "./cluster-stage.ts";

/** What somebody with kubectl changed: seen, repaired where it raised exposure, left alone where it lowered it. */
export function driftContract(world: () => ClusterWorld, stage: ClusterStage): void {
  const { canaryUnderWay, setWeights, toV2, backToV1, vsPath, edit } = stage;
  const traffic = (target: Parameters<typeof vsPath>[0]) => world().region.readTraffic(target);

  describe("a change by hand", () => {
    test("that raised the canary is told from our own writes, and repaired with the gate left open", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(5));
      await setWeights(target, { [v1]: 50, [v2]: 50 });
      expect(await traffic(target)).toMatchObject({ weights: { [v2]: 50 }, recorded: { [v2]: 5 }, routed: true });

      const repaired = await world().region.repair(target, { ...backToV1(), percent: 5 });

      expect(repaired.kind).toBe("repaired");
      expect(await traffic(target)).toMatchObject({
        weights: { [v1]: 95, [v2]: 5 },
        fence: { gate: "open", epoch: 2 },
      });
      expect(await world().region.repair(target, { ...backToV1(), percent: 5 })).toEqual({ kind: "already" });
      expect(await world().region.raise(target, toV2(25))).toMatchObject({ kind: "raised" });
    });

    test("that raised the canary is repaired also where the service is paused, and never under another grant", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(5));
      await setWeights(target, { [v1]: 50, [v2]: 50 });
      await edit(target, { metadata: { annotations: { "slipway.dev/paused": "maintenance" } } });

      expect(await world().region.repair(target, { ...backToV1(1), percent: 5 })).toMatchObject({ kind: "stale" });
      expect(await world().region.repair(target, { ...backToV1(3), percent: 5 })).toEqual({ kind: "refused" });
      expect(await world().region.repair(target, { ...backToV1(), percent: 5 })).toMatchObject({ kind: "repaired" });
    });

    test("that lowered the canary is raised over only by one who knows of it", async () => {
      const target = await canaryUnderWay();
      await world().region.raise(target, toV2(25));
      await setWeights(target, { [v1]: 90, [v2]: 10 });

      expect(await world().region.repair(target, { ...backToV1(), percent: 25 })).toEqual({ kind: "already" });
      expect(await world().region.raise(target, { ...toV2(25), from: 25 })).toMatchObject({ why: "drifted" });
      expect((await traffic(target)).weights[v2]).toBe(10);
      expect(await world().region.raise(target, { ...toV2(25), from: 10 })).toMatchObject({ kind: "raised" });
    });

    test("that removed the route, or put another one before it, is seen", async () => {
      const target = await canaryUnderWay();
      await edit(target, {
        spec: {
          http: [
            { name: "mine", route: [{ destination: { host: v1 } }] },
            { name: "slipway", route: [{ destination: { host: v1 }, weight: 100 }] },
          ],
        },
      });
      expect(await traffic(target)).toMatchObject({ routed: true, hiddenBy: "mine" });
      await edit(target, { spec: { http: [] } });
      expect(await traffic(target)).toMatchObject({ routed: false, hiddenBy: null, weights: {} });
    });

    test("that opened it to a gateway and a host outside the mesh stays, through every write of a deployment", async () => {
      const target = await canaryUnderWay();
      const outside = { gateways: ["mesh", "istio-system/public"], hosts: ["orders", "orders.example.com"] };
      await edit(target, { spec: outside });

      expect(await world().region.raise(target, toV2(5))).toMatchObject({ kind: "raised" });
      expect(await world().region.repair(target, { ...backToV1(), percent: 1 })).toMatchObject({ kind: "repaired" });
      expect(await world().region.lower(target, backToV1())).toMatchObject({ kind: "shut" });
      await world().region.openFence(target, { ...grant(3), baseline: v1 });

      expect(await world().api("GET", vsPath(target))).toMatchObject({ spec: outside });
      expect(await traffic(target)).toMatchObject({ weights: { [v1]: 100 }, fence: { epoch: 3 } });
    });

    test("that deleted the VirtualService is answered by a lowering with a gate that is shut", async () => {
      const target = await canaryUnderWay();
      await world().api("DELETE", vsPath(target));
      expect(await traffic(target)).toMatchObject({ exists: false, fence: null });

      expect(await world().region.repair(target, { ...backToV1(), percent: 5 })).toEqual({ kind: "refused" });
      expect(await world().region.lower(target, backToV1())).toMatchObject({ kind: "shut" });

      expect(await traffic(target)).toMatchObject({ exists: true, fence: { epoch: 2, gate: "shut" } });
    });
  });

  test("all fences of a region are listed at once", async () => {
    const target = await canaryUnderWay();
    await world().region.raise(target, toV2(5));

    const found = (await world().region.listFences()).find((one) => one.target.environment === target.environment);

    expect(found).toMatchObject({ target, fence: { epoch: 2, gate: "open", holder: "D-2" }, weights: { [v2]: 5 } });
  });
}
