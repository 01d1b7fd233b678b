import { type MetricsSource, MetricsUnreadable } from "@slipway/metrics";
import type { SeenRegion } from "./scripted-cluster.ts";

/** A region's mesh: a version that has weight is sent requests, and so is one whose connections linger. */
export class ScriptedMesh {
  /** Versions that are sent requests although they have no weight any more. */
  readonly lingering = new Set<string>();
  unreadable = false;
  readonly #cluster: SeenRegion;
  readonly #counts = new Map<string, number>();

  constructor(cluster: SeenRegion) {
    this.#cluster = cluster;
  }

  get source(): MetricsSource {
    return {
      read: async ({ versions }) => {
        if (this.unreadable) throw new MetricsUnreadable(`${this.#cluster.region} cannot be read`);
        const read = versions.map((version) => {
          const busy = this.lingering.has(version) || (this.#cluster.weights[version] ?? 0) > 0;
          const requests = (this.#counts.get(version) ?? 0) + (busy ? 10 : 0);
          this.#counts.set(version, requests);
          return [version, { hosts: { pod: { requests, errors: 0, latency: { le: [], counts: [] } } } }];
        });
        return { processEpoch: "1", versions: Object.fromEntries(read), servedWeight: {} };
      },
    };
  }
}
