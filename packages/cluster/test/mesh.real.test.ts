import {
  installedRegion,
  type MeshStage,
  meshStage,
  type RealMesh,
  type RealRegion,
  realPart,
  startIstiod,
  startMesh,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RegionCluster } from "../src/port.ts";
import { connectAs, regionOf } from "./support/real-region.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const [istio, envoy] = [realPart("istio"), realPart("envoy")];
const parts = etcd && kubernetes && crds && istio && envoy ? { etcd, kubernetes, crds } : undefined;

const requests = 20_000;

describe.skipIf(parts === undefined)("what Envoy serves under istiod", () => {
  let real: RealRegion;
  let istiod: Awaited<ReturnType<typeof startIstiod>>;
  let mesh: RealMesh;
  let region: RegionCluster;
  let stage: MeshStage;

  beforeAll(async () => {
    real = await installedRegion(parts!);
    istiod = await startIstiod(istio!, real);
    mesh = await startMesh(envoy!, istiod, { namespace: "shop" });
    region = regionOf(await connectAs(real, "orchestrator"));
    stage = await meshStage(real, region, mesh);
  });
  afterAll(async () => {
    await region?.close();
    await mesh?.stop();
    await istiod?.stop();
    await real?.stop();
  });

  test.each([0.1, 1, 5])("is the weight that was asked for: %s percent of 20,000 requests", async (percent) => {
    await stage.raise(percent);
    await stage.untilServed(percent);

    const counts = await mesh.load(stage.host, requests);

    const share = counts[stage.canary] ?? 0;
    const [least, most] = binomialBounds(requests, percent / 100);
    expect(counts[stage.baseline]).toBe(requests - share);
    expect(share).toBeGreaterThanOrEqual(least);
    expect(share).toBeLessThanOrEqual(most);
  });

  test("is nothing of the canary after a lowering", async () => {
    await stage.raise(50);
    await stage.untilServed(50);

    await stage.lower();
    await stage.untilServed(0);

    expect(await mesh.load(stage.host, requests)).toEqual({ [stage.baseline]: requests });
  });

  test("goes on as it was while istiod is away, and a lowering of that time takes hold when it is back", async () => {
    await stage.raise(50);
    await stage.untilServed(50);
    await istiod.kill();

    await stage.lower();

    expect((await region.readTraffic(stage.target)).weights).toMatchObject({ [stage.canary]: 0 });
    expect((await mesh.load(stage.host, 200))[stage.canary]).toBeGreaterThan(0);
    await istiod.start();
    await stage.untilServed(0);
    expect(await mesh.load(stage.host, 2_000)).toEqual({ [stage.baseline]: 2_000 });
  });
});

/** Between these lie all but one in a million counts of n requests that each hit with probability p. */
function binomialBounds(n: number, p: number): [number, number] {
  const tail = 0.5e-6;
  let logarithm = n * Math.log1p(-p);
  let below = 0;
  let least = -1;
  for (let k = 0; ; k += 1) {
    below += Math.exp(logarithm);
    if (least < 0 && below > tail) least = k;
    if (1 - below < tail) return [Math.max(least, 0), k];
    logarithm += Math.log((n - k) / (k + 1)) + Math.log(p / (1 - p));
  }
}
