import { exposureBetween, type LoadCounts, requestsWhile } from "../apps/standalone/src/story/load-counts.ts";
import { exposureIsConsistent } from "../apps/standalone/src/story/report.ts";
import { rollbackDeployment } from "../packages/contracts/src/index.ts";
import type { Digest } from "../packages/kernel/src/index.ts";
import { type Benchmark, mean, median, pause, percentile, rounded } from "./figures.ts";
import { bring, deploy, deployFirst, type Kind, openExample, untilEnded } from "./platform/example.ts";
import { type Load, startLoad } from "./platform/load.ts";
import { bundle, newDataFolder, type Platform, removeDataFolder, startPlatform } from "./platform/platform.ts";
import { hangOnePod } from "./platform/pods.ts";
import { type Region, wallMs, watchRegions } from "./platform/weights.ts";

const badDeployments = 24;
const aborts = 30;
const abortsUnderLoad = 15;
/** In each region. `busy`: with meshes, pods and the load process itself about what two cores can do beside a platform. */
const requestsPerSecond = { busy: 100, quiet: 20 };
const unreadyRuns = 3;
const replicas = 4;
const firstWeight = 5;
/** The load process writes its counts five times a second. */
const countsWrittenMs = 500;
const kinds: readonly Kind[] = ["bad", "slow", "crash"];

type World = {
  readonly platform: Platform;
  readonly regions: readonly Region[];
  readonly load: Load;
  readonly digests: Readonly<Record<Kind, Digest>>;
  readonly say: (line: string) => void;
};

/**
 * Bad deployments of three kinds (a fifth of the answers fail; a third of them are slow; the process dies) and people's aborts of a good one, all on one
 * platform with three regions, four pods each and 100 requests a second through each mesh; aborts again at 20 requests a second. Weight 0 = the region's watch has told it and the proxy's
 * gauge shows it, in the region that came last. A verdict counts from the moment that stands in it, an abort from before its request is sent.
 */
export const rollback: Benchmark = {
  name: "rollback",
  async measure(say) {
    const program = await bundle();
    const dataDir = await newDataFolder();
    const platform = await startPlatform([program], dataDir);
    const closing: (() => unknown)[] = [];
    try {
      const example = await openExample(platform, replicas);
      const first = await deployFirst(platform, await bring(platform, example, "feat: the first version"));
      const digests = { good: "", bad: "", slow: "", crash: "" } as Record<Kind, Digest>;
      for (const kind of ["good", ...kinds] as const)
        digests[kind] = await bring(platform, example, `feat: ${kind}`, kind);
      const regions = await watchRegions(platform);
      closing.push(...regions.map((region) => () => region.close()));
      const load = await startLoad(platform, program, requestsPerSecond.busy);
      closing.push(load.stop);
      const world = { platform, regions, load, digests, say };
      const caught = await failMany(world, badDeployments);
      const underLoad = await abortMany(world, abortsUnderLoad);
      const goOn = await hangOnePod(platform, regions, first.version);
      const unready = [...(await abortMany(world, unreadyRuns)), ...(await failMany(world, unreadyRuns)).map(toZero)];
      goOn();
      load.stop();
      const quietLoad = await startLoad(platform, program, requestsPerSecond.quiet);
      closing.push(quietLoad.stop);
      const aborted = await abortMany(world, aborts);
      return { runs: badDeployments, figures: figuresOf(caught, aborted, underLoad, unready) };
    } finally {
      for (const close of closing) await close();
      await platform.stop();
      await removeDataFolder(dataDir);
    }
  },
};

type Caught = {
  readonly kind: Kind;
  /** Verdict to weight 0 in the last region: in the object, and in the proxy too. */
  readonly objectMs: number;
  readonly servedMs: number;
  readonly failed: number;
  readonly exposed: number;
  readonly largest: number;
  readonly consistent: boolean;
};

const toZero = ({ servedMs }: Caught): number => servedMs;

function figuresOf(
  caught: readonly Caught[],
  aborted: readonly number[],
  underLoad: readonly number[],
  unready: readonly number[],
) {
  const served = caught.map(toZero);
  return {
    verdict_to_zero_p50_ms: rounded(median(served)),
    verdict_to_zero_p99_ms: rounded(percentile(served, 0.99)),
    verdict_to_object_zero_p50_ms: rounded(median(caught.map(({ objectMs }) => objectMs))),
    abort_to_zero_p50_ms: rounded(median(aborted)),
    abort_to_zero_p99_ms: rounded(percentile(aborted, 0.99)),
    abort_under_load_p50_ms: rounded(median(underLoad)),
    abort_under_load_p99_ms: rounded(percentile(underLoad, 0.99)),
    unready_baseline_to_zero_ms: rounded(Math.max(...unready)),
    failed_requests_mean: rounded(mean(caught.map(({ failed }) => failed))),
    failed_requests_max: Math.max(...caught.map(({ failed }) => failed)),
    requests_to_bad_version_mean: rounded(mean(caught.map(({ exposed }) => exposed))),
    max_weight_percent: Math.max(...caught.map(({ largest }) => largest)),
    exposure_out_of_bounds: caught.filter(({ consistent }) => !consistent).length,
  };
}

async function failMany(world: World, count: number): Promise<readonly Caught[]> {
  const all: Caught[] = [];
  for (let at = 0; at < count; at += 1) {
    const kind = kinds[at % kinds.length] ?? "bad";
    const one = await failOne(world, kind);
    world.say(
      `${kind}: 0 after ${one.objectMs.toFixed(0)} ms, served after ${one.servedMs.toFixed(0)} ms, ${one.failed} of ${one.exposed} failed`,
    );
    all.push(one);
  }
  return all;
}

async function failOne({ platform, regions, load, digests }: World, kind: Kind): Promise<Caught> {
  const before = load.counts();
  const { deployment_id, version } = await deploy(platform, digests[kind]);
  await Promise.all(regions.map((region) => region.served(version, firstWeight)));
  const raisedAt = wallMs();
  const zeros = await Promise.all(regions.map((region) => region.zeroAt(version, raisedAt)));
  const view = await untilEnded(platform, deployment_id);
  const verdict = view.gates.find((gate) => gate.verdict === "FAIL");
  if (view.status !== "ROLLED_BACK" || verdict === undefined)
    throw new Error(`${deployment_id} (${kind}) ended ${view.status}: ${view.reason}`);
  const at = Date.parse(verdict.at);
  await pause(countsWrittenMs);
  return {
    kind,
    objectMs: Math.max(...zeros.map(({ object }) => object)) - at,
    servedMs: Math.max(...zeros.map(({ object, gauge }) => Math.max(object, gauge))) - at,
    largest: Math.max(...(await Promise.all(regions.map((region) => region.largest(version))))),
    ...exposure(before, load.counts(), regions, version),
  };
}

/** A failed request is any that failed in any region while the deployment lasted, whoever answered it. */
function exposure(before: LoadCounts, after: LoadCounts, regions: readonly Region[], version: string) {
  const parts = regions.map(({ name }) => exposureBetween(before, after, name, version));
  const sum = (field: "errors" | "toVersion") => parts.reduce((total, own) => total + own[field], 0);
  const while5 = regions.map(({ name }) => sinceBefore(before, after, name, version));
  return {
    failed: sum("errors"),
    exposed: sum("toVersion"),
    consistent: while5.every(
      (requests, at) => requests === 0 || exposureIsConsistent(parts[at]?.toVersion ?? 0, requests, firstWeight),
    ),
  };
}

/** Requests in a region between the version's first and last answer of this deployment; 0 where an earlier deployment had some already. */
function sinceBefore(before: LoadCounts, after: LoadCounts, region: string, version: string): number {
  return before.regions[region]?.versions[version] === undefined ? requestsWhile(after.regions[region], version) : 0;
}

async function abortMany(world: World, count: number): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const ms = await abortOne(world);
    world.say(`abort: served nothing after ${ms.toFixed(1)} ms`);
    samples.push(ms);
  }
  return samples;
}

/** A person takes a good deployment back at a chance moment of its first bake. */
async function abortOne({ platform, regions, digests }: World): Promise<number> {
  const { deployment_id, version } = await deploy(platform, digests.good);
  await Promise.all(regions.map((region) => region.served(version, firstWeight)));
  await pause(500 + Math.random() * 1_000);
  const client = platform.as("deployer");
  const sentAt = wallMs();
  const zeros = Promise.all(regions.map((region) => region.zeroAt(version, sentAt)));
  await client.call(rollbackDeployment, { params: { id: deployment_id }, body: { reason: "benchmark" } });
  const ms = Math.max(...(await zeros).map(({ object, gauge }) => Math.max(object, gauge))) - sentAt;
  await untilEnded(platform, deployment_id);
  return ms;
}
