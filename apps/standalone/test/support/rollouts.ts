import { type DeploymentView, getDeployment } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { expect } from "vitest";
import { trafficWrites } from "./fences.ts";
import { servedNow } from "./mesh.ts";
import type { Platform } from "./platform.ts";
import { shipAgain, shipTurnable, type Turnable } from "./turnable.ts";

type Weights = Readonly<Record<string, number>>;

/** Canaries of a platform, as its meshes serve them. */
export type Rollouts = {
  /** A canary that every mesh serves at 5%, and that bakes. A release is built the first time, and deployed again where it was taken back. */
  canary(release: string): Promise<Turnable>;
  /** Waits until the meshes serve these weights of it, by region. */
  isServed(shipped: Turnable, weights: Weights, what: string): Promise<void>;
  viewOf(shipped: Pick<Turnable, "id">): Promise<DeploymentView>;
  isRolledBack(shipped: Turnable): Promise<void>;
  /** Each write once, the only weight of the version the first one, and nothing raised behind the shut gate. */
  expectLowered(shipped: Turnable): void;
};

export function rollouts(platform: () => Platform): Rollouts {
  const served = ({ version }: Turnable) => servedNow(platform().endpoints().regions, version);
  const built = new Map<string, Turnable>();
  const viewOf = ({ id }: Pick<Turnable, "id">) => platform().as("viewer").call(getDeployment, { params: { id } });
  return {
    viewOf,
    async canary(release) {
      const before = built.get(release);
      const shipped = await (before === undefined ? shipTurnable(platform(), release) : shipAgain(platform(), before));
      built.set(release, shipped);
      const everywhere = async () => Object.values(await served(shipped)).every((weight) => weight === 5);
      await until(everywhere, { timeoutMs: 180_000, what: `5% of ${shipped.id} everywhere` }).catch(
        async (error: unknown) => {
          const { phase, waiting, regions: progress } = await viewOf(shipped);
          const now = await served(shipped);
          throw new Error(JSON.stringify({ phase, waiting, progress, served: now }), { cause: error });
        },
      );
      await until(async () => (await viewOf(shipped)).phase === "baking", { timeoutMs: 180_000, what: "the bake" });
      return shipped;
    },
    async isServed(shipped, weights, what) {
      const areServed = async () => {
        const now = await served(shipped);
        return Object.entries(weights).every(([region, weight]) => now[region] === weight);
      };
      await until(areServed, { timeoutMs: 180_000, what });
    },
    async isRolledBack(shipped) {
      const isBack = async () => (await viewOf(shipped)).status === "ROLLED_BACK";
      await until(isBack, { timeoutMs: 180_000, what: "ROLLED_BACK" });
    },
    expectLowered({ id, version }) {
      const { dataDir, endpoints } = platform();
      for (const region of Object.keys(endpoints().regions)) {
        const writes = trafficWrites(dataDir, region).filter(({ deployment }) => deployment === id);
        const seqs = writes.map(({ seq }) => seq);
        expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
        const weights = writes.map(
          (write) => write.weights[Object.keys(write.weights).find((host) => host.includes(version)) ?? ""] ?? 0,
        );
        expect(weights.filter((weight) => weight > 0)).toEqual([5]);
        expect(writes.at(-1)?.gate).toBe("shut");
      }
    },
  };
}
