import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { join } from "node:path";
import { type Connection, connect, openRegion, type RegionCluster } from "../../../packages/cluster/src/index.ts";
import type { RegionName } from "../../../packages/kernel/src/index.ts";
import { silentLogger } from "../../../packages/sql/src/index.ts";
import {
  installedRegion,
  type RegionParts,
  regionAccounts,
  runFolder,
  until,
} from "../../../packages/testkit/src/index.ts";
import { pause } from "../../figures.ts";
import { allPids, commandLine, cpuSeconds } from "../../platform/proc.ts";
import { target, type Weights, watchWeights } from "../../platform/weights.ts";
import { type MeshPage, startMeshPage } from "./mesh-page.ts";
import { readyPods } from "./pods.ts";

/** A real API server with the controllers, whose pods run nothing and whose mesh is a page that counts. */
export type BenchRegion = {
  readonly name: string;
  /** As the admin, past Slipway. */
  readonly admin: Connection;
  readonly cluster: RegionCluster;
  readonly mesh: MeshPage;
  readonly weights: Weights;
  /** Waits until this is the version's weight in the object. */
  reaches(version: string, percent: number): Promise<void>;
  readonly entry: Readonly<Record<string, string>>;
  stop(): Promise<void>;
};

export async function startBenchRegion(name: string, parts: RegionParts): Promise<BenchRegion> {
  const closing: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const real = await installedRegion(parts);
    closing.push(() => real.stop());
    const { kubeconfig, context } = real;
    const admin = await connect({ region: name, kubeconfig, context, timeoutMs: 10_000 });
    closing.push(() => admin.close());
    const pods = await readyPods(admin);
    closing.push(() => pods.stop());
    const cluster = await openRegion({ name: name as RegionName, kubeconfig, context, log: silentLogger });
    closing.push(() => cluster.close());
    const weights = watchWeights(cluster);
    closing.push(() => weights.stop());
    const mesh = await startMeshPage(weights.now);
    closing.push(() => mesh.stop());
    const own = await real.kubeconfigWith(await real.tokenOf(regionAccounts.orchestrator));
    const { origin } = new URL(mesh.url);
    return {
      ...{ name, admin, cluster, mesh, weights, stop },
      entry: { name, kubeconfig: own, context, mesh_url: origin, metrics_url: `scrape:${mesh.url}` },
      async reaches(version, percent) {
        const there = () => (weights.now()[version] ?? 0) === percent;
        await until(there, { what: `${percent}% of ${version} in ${name}`, timeoutMs: 120_000 });
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What SLIPWAY_REGIONS names. */
export async function writeRegionsFile(regions: readonly BenchRegion[]): Promise<string> {
  const file = join(runFolder(), "regions.json");
  await writeFile(file, JSON.stringify(regions.map(({ entry }) => entry)), { mode: 0o600 });
  return file;
}

const behind = 10;

/**
 * The servers of the regions run behind what is measured where both want a core: on a real installation they have machines of their own, and what they do by
 * themselves (they collect garbage, they end pods) is nothing that Slipway waits for.
 */
export function standBack(): void {
  for (const pid of serverPids())
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), behind);
}

const settleMs = 15_000;
const lookMs = 10_000;

/** Percent of one core that the servers of this run take while nobody wants anything of them. */
export async function idlePercent(): Promise<number> {
  await pause(settleMs);
  const pids = serverPids();
  const [began, before] = [performance.now(), cpuSeconds(pids)];
  await pause(lookMs);
  return ((cpuSeconds(pids) - before) * 100_000) / (performance.now() - began);
}

function serverPids(): ReadonlySet<number> {
  return new Set(allPids().filter((pid) => commandLine(pid).includes(runFolder())));
}

const everyMs = 50;
const path = `/apis/networking.istio.io/v1/namespaces/${target.environment}/virtualservices/${target.service}`;

/**
 * Somebody who changes an annotation of the service's VirtualService 20 times a second until it is stopped; answers how often a second it did. `phase`: where
 * between two of its writes it begins, from 0 to 1; writers of different clusters know nothing of each other.
 */
export function startForeignWriter({ admin }: BenchRegion, phase: number): { stop(): Promise<number> } {
  let going = true;
  const writing = (async () => {
    await pause(phase * everyMs);
    const began = performance.now();
    let count = 0;
    for (let due = began; going; due += everyMs) {
      const body = { metadata: { annotations: { "example.com/touched": String(count) } } };
      const done = await admin
        .request("PATCH", path, { body, contentType: "application/merge-patch+json" })
        .catch(() => undefined);
      if (done !== undefined) count += 1;
      await pause(Math.max(0, due + everyMs - performance.now()));
    }
    return (count * 1_000) / (performance.now() - began);
  })();
  return {
    stop() {
      going = false;
      return writing;
    },
  };
}
