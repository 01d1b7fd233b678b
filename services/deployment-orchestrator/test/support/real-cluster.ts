import { openRegion, type RegionCluster, type Target } from "@slipway/cluster";
import type { RegionName, VersionName } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import {
  installedRegion,
  type KubeFaultProxy,
  type RealRegion,
  type RegionParts,
  readyNode,
  regionAccounts,
  startKubeFaultProxy,
} from "@slipway/testkit";
import { pause } from "../../src/effects/pause.ts";
import type { SeenRegion } from "./scripted-cluster.ts";

/** A real API server whose pods are ready as soon as they are made; Slipway reaches it through faults, the test past them. */
export type RealCluster = SeenRegion & {
  readonly api: RealRegion;
  readonly faults: KubeFaultProxy["faults"];
  /** From now on what is seen is this service. */
  see(target: Target): void;
  /** Read now. */
  traffic(): ReturnType<RegionCluster["readTraffic"]>;
  stop(): Promise<void>;
};

const everyMs = 50;

export async function startRealCluster(name: string, parts: RegionParts): Promise<RealCluster> {
  const region = name as RegionName;
  const api = await installedRegion(parts);
  const proxy = await startKubeFaultProxy(api);
  const node = await readyNode(api, { name: "machine", prefix: "10.90" });
  const token = await api.tokenOf(regionAccounts.orchestrator);
  const open = async (port?: number) =>
    openRegion({
      ...{ name: region, context: api.context, log: silentLogger },
      kubeconfig: await api.kubeconfigWith(token, port),
      // So soon it says why a lowering does not come about.
      lowerDeadlineMs: 2_000,
    });
  const [client, sound] = [await open(proxy.port), await open()];

  const nothing: { weights: Readonly<Record<string, number>>; live: VersionName | null } = { weights: {}, live: null };
  let target: Target | undefined;
  let seen = nothing;
  const stopping = new AbortController();
  const looking = (async () => {
    for (; !stopping.signal.aborted; await pause(everyMs, stopping.signal)) {
      const asked = target;
      if (asked === undefined) continue;
      const found = await sound.readTraffic(asked).catch(() => undefined);
      if (found !== undefined && asked === target) seen = { weights: found.weights, live: found.liveVersion };
    }
  })();
  return {
    ...{ region, api, client, faults: proxy.faults },
    get weights() {
      return seen.weights;
    },
    get live() {
      return seen.live;
    },
    see(next) {
      target = next;
      seen = nothing;
    },
    traffic() {
      if (target === undefined) throw new Error("nothing is looked at");
      return sound.readTraffic(target);
    },
    async stop() {
      stopping.abort();
      await looking;
      for (const part of [client, sound]) await part.close();
      for (const part of [node, proxy, api]) await part.stop();
    },
  };
}
