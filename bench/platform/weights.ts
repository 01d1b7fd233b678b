import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { servedWeight } from "../../apps/standalone/src/story/traffic.ts";
import { openRegion, type RegionCluster } from "../../packages/cluster/src/index.ts";
import type { EnvironmentName, RegionName, ServiceName, VersionName } from "../../packages/kernel/src/index.ts";
import { silentLogger } from "../../packages/sql/src/index.ts";
import { until } from "../../packages/testkit/src/index.ts";
import { pause } from "../figures.ts";
import { serviceName } from "./example.ts";
import type { Platform } from "./platform.ts";

const gaugePollMs = 3;
export const target = { environment: "prod" as EnvironmentName, service: serviceName as ServiceName };

/** Weights in the order in which the region's watch told them. `at`: milliseconds since 1970, with fractions. */
type Seen = { readonly at: number; readonly weights: Readonly<Record<string, number>> };

export type Region = {
  readonly name: string;
  readonly cluster: RegionCluster;
  /** Waits until both the region's object and its proxy say that a version has this weight. */
  served(version: VersionName, percent: number): Promise<void>;
  /** From when on (not before `since`) the version had no weight: as the region's watch told it here, and as its proxy says that it served it. */
  zeroAt(version: VersionName, since: number): Promise<{ readonly object: number; readonly gauge: number }>;
  /** The largest weight that its proxy has served of a version since it started. */
  largest(version: VersionName): Promise<number>;
  close(): Promise<void>;
};

export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

export async function watchRegions(platform: Platform): Promise<readonly Region[]> {
  const { regions } = platform.endpoints();
  return await Promise.all(Object.entries(regions).map(([name, { admin }]) => watchRegion(platform, name, admin)));
}

/** The weights of the service as they are told by a watch. */
export type Weights = {
  now(): Readonly<Record<string, number>>;
  /** From when on (not before `since`) the version had none, as it was told here. */
  zeroAt(version: VersionName, since: number): Promise<number>;
  stop(): Promise<void>;
};

export function watchWeights(cluster: RegionCluster): Weights {
  const seen: Seen[] = [];
  const told = new EventEmitter();
  const watch = cluster.watchTraffic(target, ({ weights }) => {
    seen.push({ at: wallMs(), weights });
    told.emit("change");
  });
  return {
    now: () => seen.at(-1)?.weights ?? {},
    async zeroAt(version, since) {
      const zero = () => seen.find(({ at, weights }) => at >= since && (weights[version] ?? 0) === 0)?.at;
      const signal = AbortSignal.timeout(60_000);
      // Not looked at again and again: the time until the next look would be measured with it.
      for (let at = zero(); ; at = zero()) {
        if (at !== undefined) return at;
        await once(told, "change", { signal }).catch((cause: unknown) => {
          throw new Error(`waited in vain: no weight of ${version} in ${cluster.name}`, { cause });
        });
      }
    },
    stop: () => watch.stop(),
  };
}

async function watchRegion({ dataDir }: Platform, name: string, admin: number): Promise<Region> {
  const kubeconfig = join(dataDir, "regions", name, "api", "kubeconfig");
  const cluster = await openRegion({ name: name as RegionName, kubeconfig, context: name, log: silentLogger });
  const adminUrl = `http://127.0.0.1:${admin}`;
  const weights = watchWeights(cluster);
  return {
    name,
    cluster,
    async served(version, percent) {
      const both = async () =>
        weights.now()[version] === percent && (await servedWeight(adminUrl, version))?.now === percent;
      await until(both, { what: `${percent}% of ${version} in ${name}`, timeoutMs: 60_000 });
    },
    async zeroAt(version, since) {
      const object = await weights.zeroAt(version, since);
      return { object, gauge: await gaugeZeroAt(adminUrl, version) };
    },
    largest: async (version) => (await servedWeight(adminUrl, version))?.max ?? 0,
    async close() {
      await weights.stop();
      await cluster.close();
    },
  };
}

/** The gauge is asked from the moment on at which the object says 0, and says itself since when: asking all the time would be load of its own. */
async function gaugeZeroAt(adminUrl: string, version: VersionName): Promise<number> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    const served = await servedWeight(adminUrl, version);
    if (served?.now === 0) return served.sinceMs;
    await pause(gaugePollMs);
  }
  throw new Error(`the proxy at ${adminUrl} still serves ${version}`);
}
