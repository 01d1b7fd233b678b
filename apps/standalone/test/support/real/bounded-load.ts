import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import type { LoadCounts } from "../../../src/story/load-counts.ts";
import { readLoad } from "../../../src/story/traffic.ts";
import { entryPoints } from "../bundle.ts";
import { cleanEnvironment, type Platform } from "../platform.ts";

/** Runs the load process as the story does, until each region has answered this often, and ends it; what it counted. */
export async function boundedLoad(platform: Platform, requests: number): Promise<LoadCounts> {
  const { dataDir } = platform;
  const regions = Object.entries(platform.endpoints().regions).map(([name, { mesh }]) => [
    name,
    `http://127.0.0.1:${mesh}`,
  ]);
  const countsFile = join(dataDir, "story", "load.json");
  // What an earlier platform's meshes counted went with them.
  rmSync(countsFile, { force: true });
  const config = {
    ...{ dataDir, countsFile, host: "orders.prod", path: "/orders", requestsPerSecond: 100 },
    regions: Object.fromEntries(regions),
  };
  const load = spawn(process.execPath, [entryPoints.standalone, "role", "load", JSON.stringify(config)], {
    stdio: "ignore",
    env: cleanEnvironment(),
  });
  const ended = once(load, "exit");
  try {
    await until(
      () => Object.keys(config.regions).every((region) => answersIn(readLoad(countsFile), region) > requests),
      {
        timeoutMs: 60_000,
        what: `${requests} answers in each region`,
      },
    );
  } finally {
    load.kill("SIGTERM");
    await ended;
  }
  return readLoad(countsFile);
}

function answersIn(counts: LoadCounts, region: string): number {
  return Object.values(counts.regions[region]?.versions ?? {}).reduce((sum, own) => sum + own.requests, 0);
}
