import { spawn } from "node:child_process";
import { join } from "node:path";
import type { LoadCounts } from "../../apps/standalone/src/story/load-counts.ts";
import { readLoad } from "../../apps/standalone/src/story/traffic.ts";
import { until } from "../../packages/testkit/src/index.ts";
import { serviceName } from "./example.ts";
import type { Platform } from "./platform.ts";

/** The story's load process: so many requests a second through each region's mesh, whatever the answers take. */
export type Load = { counts(): LoadCounts; stop(): void };

export async function startLoad(platform: Platform, program: string, requestsPerSecond: number): Promise<Load> {
  const { dataDir } = platform;
  const countsFile = join(dataDir, "bench", "load.json");
  const regions = Object.fromEntries(
    Object.entries(platform.endpoints().regions).map(([name, { mesh }]) => [name, `http://127.0.0.1:${mesh}`]),
  );
  const host = `${serviceName}.prod`;
  const config = { dataDir, countsFile, host, path: "/orders", requestsPerSecond, tickMs: 10, regions };
  // A benchmark that is killed takes its load with it.
  const role = ["--pdeathsig", "TERM", process.execPath, program, "role", "load", JSON.stringify(config)];
  const child = spawn("setpriv", role, { stdio: "ignore" });
  const counts = () => readLoad(countsFile);
  const everywhere = () =>
    Object.keys(regions).every((name) => (counts().regions[name]?.timeline.at(-1)?.[1] ?? 0) > 0);
  await until(everywhere, { what: "answers in every region", timeoutMs: 20_000 });
  return { counts, stop: () => void child.kill("SIGTERM") };
}
