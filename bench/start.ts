import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { postgresPid } from "../apps/standalone/test/support/processes.ts";
import { listDeployments } from "../packages/contracts/src/index.ts";
import { until } from "../packages/testkit/src/index.ts";
import { type Benchmark, median, pause, rounded } from "./figures.ts";
import { bring, deployFirst, openExample } from "./platform/example.ts";
import { home, newDataFolder, type Platform, removeDataFolder, startPlatform } from "./platform/platform.ts";
import { commandLine, cpuSeconds, platformProcesses, pssKib, pssMib } from "./platform/proc.ts";

const starts = 5;
const settleSeconds = 20;
const idleSeconds = 30;
const replicas = 2;
const databaseKills = 3;

/**
 * `npm start` on a data folder in which a version of the example serves in three regions: until it is ready, and what it takes when nobody wants
 * anything of it. Sample pods are not counted. At the end its Postgres is killed with -9: until the API answers out of the next one, at the longest.
 */
export const start: Benchmark = {
  name: "start",
  async measure(say) {
    const bootstrap = join(home, "scripts/bootstrap.mjs");
    await promisify(execFile)(process.execPath, [bootstrap, "prepare"], { cwd: home });
    const program = [bootstrap, "start"];
    const dataDir = await newDataFolder();
    let platform: Platform | undefined = await startPlatform(program, dataDir);
    try {
      say(`cold start ${platform.readyMs.toFixed(0)} ms`);
      const coldMs = platform.readyMs;
      const example = await openExample(platform, replicas);
      await deployFirst(platform, await bring(platform, example, "feat: the first version"));
      const readyMs: number[] = [];
      for (let at = 0; at < starts; at += 1) {
        await platform.stop();
        platform = undefined;
        platform = await startPlatform(program, dataDir);
        say(`warm start ${platform.readyMs.toFixed(0)} ms`);
        readyMs.push(platform.readyMs);
      }
      const idle = await lookAtIdle(platform, say);
      const databaseBackMs = await killDatabase(platform, say);
      return {
        runs: starts,
        figures: {
          ready_ms: Math.round(median(readyMs)),
          ready_cold_ms: Math.round(coldMs),
          ...idle,
          database_back_ms: databaseBackMs,
        },
      };
    } finally {
      await platform?.stop();
      await removeDataFolder(dataDir);
    }
  },
};

async function lookAtIdle(platform: Platform, say: (line: string) => void) {
  await pause(settleSeconds * 1_000);
  const pids = platformProcesses(platform.pid, platform.dataDir);
  const before = new Map([...pids].map((pid) => [pid, cpuSeconds(new Set([pid]))]));
  const began = performance.now();
  await pause(idleSeconds * 1_000);
  const seconds = (performance.now() - began) / 1_000;
  const percentOf = (pid: number) => ((cpuSeconds(new Set([pid])) - (before.get(pid) ?? 0)) / seconds) * 100;
  const each = new Map([...pids].map((pid) => [pid, Math.max(0, percentOf(pid))]));
  const cpu = [...each.values()].reduce((sum, percent) => sum + percent, 0);
  for (const [pid, percent] of each)
    say(
      `${String(Math.round(pssKib(pid) / 1_024)).padStart(5)} MiB ${percent.toFixed(1).padStart(5)}% ${commandLine(pid)
        .replace(/^\S*\/node /, "node ")
        .slice(0, 110)}`,
    );
  return { idle_pss_mib: Math.round(pssMib(pids)), idle_cpu_percent: rounded(cpu, 2) };
}

async function killDatabase({ dataDir, as }: Platform, say: (line: string) => void): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < databaseKills; at += 1) {
    const before = postgresPid(dataDir);
    const began = performance.now();
    process.kill(before, "SIGKILL");
    const answered = () => as("viewer").call(listDeployments, { query: { page_size: 1 } });
    // Not by a backend of the one that was killed, which may live a moment longer.
    await until(async () => postgresPid(dataDir) !== before && (await answered()), {
      what: "an answer out of another Postgres",
    });
    times.push(performance.now() - began);
    say(`answers again ${times.at(-1)?.toFixed(0)} ms after Postgres was killed`);
    await pause(settleSeconds * 1_000);
  }
  return Math.round(Math.max(...times));
}
