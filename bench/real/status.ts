import { readFileSync } from "node:fs";
import { getDeploymentStatus } from "../../packages/contracts/src/index.ts";
import type { DeploymentId } from "../../packages/kernel/src/index.ts";
import { startRedis, until } from "../../packages/testkit/src/index.ts";
import { timesAsked } from "../asked.ts";
import { percentile, rounded } from "../figures.ts";
import { bring, deploy, deployFirst, openExample } from "../platform/example.ts";
import { bundle, newDataFolder, type Platform, removeDataFolder, startPlatform } from "../platform/platform.ts";
import { needed } from "../real-parts.ts";
import type { RealLeg } from "./leg.ts";

const replicas = 2;
/** Of each cache, one after the other and then again, so that what the machine does meanwhile meets all of them. */
const rounds = timesAsked(3);
const secondsEach = Math.min(5, timesAsked(5));
const warmUps = 200;
const manyReaders = 32;
/** How often a second one reader of many asks: a page, `slipway watch`, a pipeline. */
const paceMs = 500;
const pacedReaders = 100;

type Samples = { readonly one: number[]; readonly many: number[]; readonly paced: number[]; perSecond: number[] };

/**
 * GET /api/v1/deployments/{id}/status of a canary that bakes, on the whole platform of `npm start`, by what SLIPWAY_CACHE_URL names: `none:`, `memory:` and a Redis. `one`: a reader
 * who asks again as soon as it is answered. `many`: so do 32, which says how many answers there are in a second. `paced`: 100 readers who ask twice a second each.
 */
export const statusLeg: RealLeg = {
  name: "status",
  parts: ["redis"],
  async measure(say) {
    const redis = await startRedis(needed("redis"));
    const dataDir = await newDataFolder();
    const program = [await bundle()];
    const caches: Readonly<Record<string, string>> = { none: "none:", memory: "memory:", redis: redis.url };
    const found = new Map(Object.keys(caches).map((name) => [name, emptySamples()]));
    try {
      const id = await canary(program, dataDir);
      for (let round = 1; round <= rounds; round += 1) {
        for (const [name, url] of Object.entries(caches)) {
          const platform = await startPlatform(program, dataDir, { SLIPWAY_CACHE_URL: url });
          try {
            await read(platform, id, found.get(name) ?? emptySamples());
          } finally {
            await platform.stop();
          }
          say(`${name}, round ${round}: ${found.get(name)?.perSecond.at(-1)?.toFixed(0)} a second`);
        }
      }
      return { runs: rounds, figures: Object.assign({}, ...[...found].map(([name, own]) => figuresOf(name, own))) };
    } finally {
      await removeDataFolder(dataDir);
      await redis.stop();
    }
  },
};

const emptySamples = (): Samples => ({ one: [], many: [], paced: [], perSecond: [] });

/** Held at its first step, since no request comes that would prove it. */
async function canary(program: readonly string[], dataDir: string): Promise<DeploymentId> {
  const platform = await startPlatform(program, dataDir);
  try {
    const example = await openExample(platform, replicas);
    await deployFirst(platform, await bring(platform, example, "feat: the first version"));
    const { deployment_id: id } = await deploy(platform, await bring(platform, example, "feat: the next", "good"));
    await until(async () => (await statusOf(platform, id)).weight_percent === 5, {
      ...{ what: "the canary at 5%", timeoutMs: 120_000 },
    });
    return id;
  } finally {
    await platform.stop();
  }
}

const statusOf = (platform: Platform, id: DeploymentId) =>
  platform.as("viewer").call(getDeploymentStatus, { params: { id } });

async function read(platform: Platform, id: DeploymentId, into: Samples): Promise<void> {
  const { status } = await statusOf(platform, id);
  if (status !== "CANARY_MONITORING") throw new Error(`the canary is ${status} now`);
  const url = `${platform.url}${getDeploymentStatus.path.replace(":id", id)}`;
  const headers = { authorization: `Bearer ${readFileSync(platform.tokenFile("viewer"), "utf8").trim()}` };
  const ask = async (samples: number[]) => {
    const began = performance.now();
    const answer = await fetch(url, { headers });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`the status is answered with ${answer.status}`);
    samples.push(performance.now() - began);
  };
  for (let at = 0; at < warmUps; at += 1) await ask([]);
  await during(1, ask, into.one);
  const before = into.many.length;
  await during(manyReaders, ask, into.many);
  into.perSecond.push((into.many.length - before) / secondsEach);
  await during(pacedReaders, ask, into.paced, paceMs);
}

/** `everyMs`: each reader begins then, wherever it is in that time. */
async function during(
  readers: number,
  ask: (samples: number[]) => Promise<void>,
  samples: number[],
  everyMs = 0,
): Promise<void> {
  const end = performance.now() + secondsEach * 1_000;
  const reader = async (at: number) => {
    let next = performance.now() + (everyMs * at) / readers;
    while (next < end && performance.now() < end) {
      if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
      await ask(samples);
      next += everyMs;
    }
  };
  await Promise.all(Array.from({ length: readers }, (_, at) => reader(at)));
}

function figuresOf(name: string, { one, many, paced, perSecond }: Samples): Record<string, number> {
  const pair = (what: string, samples: readonly number[]) => ({
    [`status_${name}_${what}_p50_ms`]: rounded(percentile(samples, 0.5), 2),
    [`status_${name}_${what}_p99_ms`]: rounded(percentile(samples, 0.99), 2),
  });
  return {
    ...pair("one", one),
    ...pair("many", many),
    ...pair("paced", paced),
    [`status_${name}_per_second`]: Math.round(percentile(perSecond, 0.5)),
  };
}
