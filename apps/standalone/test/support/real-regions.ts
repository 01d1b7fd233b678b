import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startAgent } from "@slipway/local-region";
import { silentLogger } from "@slipway/sql";
import {
  installedRegion,
  type RealIstiod,
  type RealPart,
  type RealRegion,
  regionAccounts,
  runFolder,
  singleNode,
  startIstiod,
  startPrometheus,
  startProxy,
} from "@slipway/testkit";
import { keeping } from "./kept.ts";

export type RealRegionParts = Readonly<
  Record<"etcd" | "kubernetes" | "crds" | "istio" | "envoy" | "prometheus", RealPart>
>;

/** Real clusters for a platform: an API server with its controllers, istiod, an Envoy at the entrance and a Prometheus that reads it, each. */
export type RealRegions = {
  /** What SLIPWAY_REGIONS names. */
  readonly file: string;
  readonly regions: Readonly<Record<string, RealRegion>>;
  readonly istiods: Readonly<Record<string, RealIstiod>>;
  /** Where each takes requests. */
  readonly meshes: Readonly<Record<string, string>>;
  /** Begins to run their pods: the node agent of the local regions, pointed at these API servers. */
  runPods(platform: { readonly dataDir: string; readonly registryHost: string }): Promise<void>;
  stop(): Promise<void>;
};

const node = "machine";

export async function startRealRegions(parts: RealRegionParts, names: readonly string[]): Promise<RealRegions> {
  const { kept, atEnd, stop } = keeping();
  const start = async (name: string, number: number) => {
    const real = kept(await installedRegion(parts));
    const istiod = kept(await startIstiod(parts.istio, real));
    const proxy = kept(await startProxy(parts.envoy, istiod, real, { address: `127.0.1.${number}`, number }));
    const prometheus = kept(await startPrometheus(parts.prometheus, { url: proxy.metricsUrl }));
    kept(await singleNode(real, node));
    const entry = {
      ...{ name, context: real.context, mesh_url: proxy.url },
      kubeconfig: await real.kubeconfigWith(await real.tokenOf(regionAccounts.orchestrator)),
      rollback_controller: {
        kubeconfig: await real.kubeconfigWith(await real.tokenOf(regionAccounts.rollbackController)),
      },
      ...{ metrics_url: `prometheus:${prometheus.url}`, metrics_shape: "envoy" },
    };
    return { name, real, istiod, entry, prefix: `10.${70 + number}` };
  };
  try {
    const started: Awaited<ReturnType<typeof start>>[] = [];
    // One after the other: two cores have enough to do with one at a time.
    for (const [index, name] of names.entries()) started.push(await start(name, index + 1));
    const file = join(runFolder(), "regions.json");
    await writeFile(file, JSON.stringify(started.map(({ entry }) => entry)), { mode: 0o600 });
    return {
      ...{ file, stop },
      regions: Object.fromEntries(started.map(({ name, real }) => [name, real])),
      istiods: Object.fromEntries(started.map(({ name, istiod }) => [name, istiod])),
      meshes: Object.fromEntries(started.map(({ name, entry }) => [name, entry.mesh_url])),
      async runPods({ dataDir, registryHost }) {
        const password = (await readFile(join(dataDir, "tokens", "viewer"), "utf8")).trim();
        for (const { name, real, prefix } of started) {
          const agent = await startAgent({
            ...{ region: name, node, kubeconfig: real.kubeconfig, network: { kind: "addresses", prefix } },
            ...{ dir: join(dataDir, "nodes", name), imagesDir: join(dataDir, "images") },
            registries: { [registryHost]: { auth: { username: "node-agent", password } } },
            log: silentLogger,
          });
          atEnd(() => agent.stop({ leavePods: false }));
        }
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
