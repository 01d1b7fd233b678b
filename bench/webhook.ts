import { buildLogPath, cancelBuild, getBuild } from "../packages/contracts/src/index.ts";
import type { BuildId, GitSha } from "../packages/kernel/src/index.ts";
import { until } from "../packages/testkit/src/index.ts";
import { type Benchmark, median, percentile, rounded } from "./figures.ts";
import { type Deliverer, deliverer, place } from "./platform/delivery.ts";
import { buildOf, type Example, openExample } from "./platform/example.ts";
import { bundle, newDataFolder, type Platform, removeDataFolder, startPlatform } from "./platform/platform.ts";

const deliveries = 200;
const viewers = 15;
const builds = 5;

/**
 * Webhooks on a running platform. Of the 200 that are only accepted each build is cancelled at once, so that builds come and go meanwhile; a viewer is
 * one who opens the log's stream as soon as the webhook is answered; builds are of new commits, timed from the webhook to the build's end.
 */
export const webhook: Benchmark = {
  name: "webhook",
  async measure(say) {
    const dataDir = await newDataFolder();
    const platform = await startPlatform([await bundle()], dataDir);
    try {
      const example = await openExample(platform, 2);
      const sha = await example.copy.commit({ subject: "feat: the first version" });
      await example.copy.push(sha);
      await buildOf(platform, sha);
      const hooks = deliverer(platform);
      const accepted = await accept(platform, hooks, sha);
      say(`${deliveries} accepted, the slowest after ${Math.max(...accepted).toFixed(1)} ms`);
      const lines = await firstLines(platform, hooks, sha);
      say(`first lines after ${lines.map((ms) => ms.toFixed(0)).join(", ")} ms`);
      const took = await buildAll(platform, hooks, example);
      say(`builds of ${took.map((ms) => ms.toFixed(0)).join(", ")} ms`);
      return {
        runs: deliveries,
        figures: {
          accepted_p50_ms: rounded(percentile(accepted, 0.5)),
          accepted_p99_ms: rounded(percentile(accepted, 0.99)),
          first_log_line_p50_ms: Math.round(median(lines)),
          example_build_ms: Math.round(median(took)),
        },
      };
    } finally {
      await platform.stop();
      await removeDataFolder(dataDir);
    }
  },
};

async function accept(platform: Platform, hooks: Deliverer, sha: GitSha): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let at = 0; at < deliveries; at += 1) {
    const { buildId, tookMs } = await hooks.deliver(sha);
    samples.push(tookMs);
    await cancel(platform, buildId);
  }
  return samples;
}

async function firstLines(platform: Platform, hooks: Deliverer, sha: GitSha): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let at = 0; at < viewers; at += 1) {
    const { buildId, sentAt } = await hooks.deliver(sha);
    for await (const event of platform.as("viewer").stream(buildLogPath(buildId))) {
      if (event.data === "") continue;
      samples.push(performance.now() - sentAt);
      break;
    }
    await cancel(platform, buildId);
  }
  return samples;
}

async function cancel(platform: Platform, id: BuildId): Promise<void> {
  await platform.as("deployer").call(cancelBuild, { params: { id }, body: { reason: "benchmark" } });
  await ended(platform, id);
}

async function ended(platform: Platform, id: BuildId): Promise<string> {
  const look = async () => {
    const build = await platform.as("viewer").call(getBuild, { params: { id } });
    return build.ended_at === null ? undefined : build.status;
  };
  return await until(look, { what: `the end of ${id}`, timeoutMs: 60_000 });
}

async function buildAll(platform: Platform, hooks: Deliverer, example: Example): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let at = 0; at < builds; at += 1) {
    const behaviour = { change: "good", release: `bench ${at}` };
    const sha = await example.copy.commit({ subject: `feat: change ${at}`, behaviour });
    await place(platform, example, sha);
    const { buildId, sentAt } = await hooks.deliver(sha);
    const status = await ended(platform, buildId);
    if (status !== "SUCCEEDED") throw new Error(`${buildId} ended ${status}`);
    samples.push(performance.now() - sentAt);
  }
  return samples;
}
