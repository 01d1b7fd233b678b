import type { RegionName } from "@slipway/kernel";
import type { Logger, RegionCluster } from "./port.ts";
import { openRegion } from "./region.ts";

/** How one region is reached: an entry of the regions file. */
export type RegionAccess = {
  readonly name: RegionName;
  readonly kubeconfig: string;
  readonly context: string;
  /** Name of a Secret in each environment's namespace, with which the nodes pull images. Default: they need none, or know by themselves. */
  readonly pull_secret?: string | undefined;
  /** Which revision of Istio puts sidecars into its pods. Default: the one of `istio-injection=enabled`. */
  readonly istio_revision?: string | undefined;
};

/** The regions of a platform, each opened at its first use (the Kubernetes client is slow to load). */
export type Regions<Access extends RegionAccess = RegionAccess> = {
  readonly names: readonly RegionName[];
  /** Rejects for a region that is not configured or cannot be opened; the next call tries again. */
  cluster(name: string): Promise<RegionCluster>;
  entry(name: string): Access | undefined;
  close(): Promise<void>;
};

export function openRegions<Access extends RegionAccess>(entries: readonly Access[], log: Logger): Regions<Access> {
  const opened = new Map<string, Promise<RegionCluster>>();
  const entryOf = (name: string) => entries.find((entry) => entry.name === name);

  const open = (name: string): Promise<RegionCluster> => {
    const entry = entryOf(name);
    if (entry === undefined) return Promise.reject(new Error(`no region ${name} is configured`));
    const { kubeconfig, context, pull_secret: pullSecret, istio_revision: istioRevision } = entry;
    const opening = openRegion({ name: entry.name, kubeconfig, context, pullSecret, istioRevision, log });
    opening.catch(() => opened.delete(name));
    opened.set(name, opening);
    return opening;
  };

  return {
    names: entries.map((entry) => entry.name),
    cluster: (name) => opened.get(name) ?? open(name),
    entry: entryOf,
    async close() {
      const all = await Promise.allSettled(opened.values());
      await Promise.all(all.map((region) => (region.status === "fulfilled" ? region.value.close() : undefined)));
    },
  };
}
