import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { VersionName } from "../../packages/kernel/src/index.ts";
import { until } from "../../packages/testkit/src/index.ts";
import { serviceName } from "./example.ts";
import type { Platform } from "./platform.ts";
import type { Region } from "./weights.ts";

type PodFile = { readonly name: string; readonly process: { readonly inner: { readonly pid: number } } | null };

/** Stops one pod of a version in every region (SIGSTOP), and waits until the region says that it is not ready. Returns what lets them go on. */
export async function hangOnePod(
  platform: Platform,
  regions: readonly Region[],
  version: VersionName,
): Promise<() => void> {
  const stopped = regions.map(({ name }) => pidOfOne(platform, name, version));
  for (const pid of stopped) process.kill(pid, "SIGSTOP");
  const target = { environment: "prod", service: serviceName } as Parameters<Region["cluster"]["readWorkload"]>[0];
  for (const { name, cluster } of regions) {
    const oneLess = async () => {
      const status = await cluster.readWorkload(target, version);
      return status !== null && status.ready === status.desired - 1;
    };
    await until(oneLess, { what: `one pod of ${version} not ready in ${name}`, timeoutMs: 60_000 });
  }
  return () => {
    for (const pid of stopped) process.kill(pid, "SIGCONT");
  };
}

function pidOfOne({ dataDir }: Platform, region: string, version: VersionName): number {
  const folder = join(dataDir, "regions", region, "agent", "pods");
  const pods = readdirSync(folder).map(
    (uid) => JSON.parse(readFileSync(join(folder, uid, "state.json"), "utf8")) as PodFile,
  );
  const pid = pods.find(({ name, process: running }) => name.startsWith(version) && running !== null)?.process?.inner
    .pid;
  if (pid === undefined) throw new Error(`${region} runs no pod of ${version}`);
  return pid;
}
