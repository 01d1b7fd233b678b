import { type Connection, connect } from "../../packages/cluster/src/connection.ts";
import { type RegionOptions, regionOver } from "../../packages/cluster/src/region.ts";
import { silentLogger } from "../../packages/sql/src/index.ts";
import {
  installedRegion,
  type MeshStage,
  machineMs,
  meshStage,
  type RealMesh,
  type RealRegion,
  regionAccounts,
  startIstiod,
  startMesh,
  until,
} from "../../packages/testkit/src/index.ts";
import { pause, percentile, rounded } from "../figures.ts";
import { needed } from "../real-parts.ts";
import type { RealLeg } from "./leg.ts";

const patches = 500;
const flips = 50;
const clients = 8;
const environment = "prod";
/** Longer than istiod gathers changes and Envoy takes them, several times over: a request after it would have been seen. */
const watchedMs = 1_500;

/**
 * `patch_`: one PATCH of the weights by the adapter to a real kube-apiserver over a connection that is open, until its answer. `patch_to_mesh_`: from the moment in which
 * the PATCH of a lowering is sent until the last answer of the canary, as eight clients of an Envoy see it, whose istiod watches that API server.
 */
export const patchLeg: RealLeg = {
  name: "patch",
  parts: ["etcd", "kubernetes", "istio-crds", "istio", "envoy"],
  async measure(say) {
    const closing: (() => Promise<unknown>)[] = [];
    try {
      const regionParts = { etcd: needed("etcd"), kubernetes: needed("kubernetes"), crds: needed("istio-crds") };
      const real = await installedRegion(regionParts);
      closing.push(() => real.stop());
      const istiod = await startIstiod(needed("istio"), real);
      closing.push(() => istiod.stop());
      const mesh = await startMesh(needed("envoy"), istiod, { namespace: environment });
      closing.push(() => mesh.stop());
      const { region, sent, close } = await timedRegion(real);
      closing.push(close);
      const stage = await meshStage(real, region, mesh, environment);
      say("a region with istiod and Envoy stands");
      const took = await measurePatches(stage, sent);
      say(`${took.length} patches`);
      const gone = await measureFlips(stage, mesh, sent);
      return {
        runs: took.length + gone.length,
        figures: {
          patch_p50_ms: rounded(percentile(took, 0.5)),
          patch_p99_ms: rounded(percentile(took, 0.99)),
          patch_to_mesh_p50_ms: rounded(percentile(gone, 0.5)),
          patch_to_mesh_p99_ms: rounded(percentile(gone, 0.99)),
        },
      };
    } finally {
      for (const close of closing.reverse()) await close();
    }
  },
};

type Sent = { readonly at: number; readonly tookMs: number };

/** The adapter, as the orchestrator's account, whose writes the policies of deploy/regions look at, with each PATCH of a VirtualService timed. */
async function timedRegion(real: RealRegion) {
  const name = "us-east-1" as RegionOptions["name"];
  const { context } = real;
  const kubeconfig = await real.kubeconfigWith(await real.tokenOf(regionAccounts.orchestrator));
  const inner = await connect({ region: name, kubeconfig, context, timeoutMs: 10_000 });
  const sent: Sent[] = [];
  const connection: Connection = {
    region: name,
    lines: (path, query, signal) => inner.lines(path, query, signal),
    close: () => inner.close(),
    async request(method, path, options) {
      const at = machineMs();
      const answer = await inner.request(method, path, options);
      if (method === "PATCH" && path.includes("/virtualservices/")) sent.push({ at, tookMs: machineMs() - at });
      return answer;
    },
  };
  const region = regionOver(connection, { name, log: silentLogger, requestTimeoutMs: 10_000, lowerDeadlineMs: 10_000 });
  return { region, sent, close: () => region.close() };
}

async function measurePatches(stage: MeshStage, sent: Sent[]): Promise<number[]> {
  for (let count = 0; count < 20; count += 1) await stage.raise(count % 2 === 0 ? 5 : 10);
  sent.length = 0;
  for (let count = 0; count < patches; count += 1) await stage.raise(count % 2 === 0 ? 5 : 10);
  return sent.map(({ tookMs }) => tookMs);
}

async function measureFlips(stage: MeshStage, mesh: RealMesh, sent: Sent[]): Promise<number[]> {
  const gone: number[] = [];
  for (let count = 0; count < flips; count += 1) {
    await stage.raise(50);
    await stage.untilServed(50);
    const before = machineMs();
    await mesh.flow(stage.host, clients);
    await until(async () => ((await mesh.lastSeen())[stage.canary] ?? 0) > before, { what: "the canary answers" });
    await stage.lower();
    const at = sent.at(-1)?.at ?? Number.NaN;
    await pause(watchedMs);
    const last = (await mesh.still())[stage.canary] ?? Number.NaN;
    gone.push(last - at);
  }
  return gone;
}
