import { rollbackDeployment } from "../../packages/contracts/src/index.ts";
import type { Digest, VersionName } from "../../packages/kernel/src/index.ts";
import { until } from "../../packages/testkit/src/index.ts";
import { timesAsked } from "../asked.ts";
import { pause, percentile, rounded } from "../figures.ts";
import { bring, deploy, deployFirst, openExample, untilEnded } from "../platform/example.ts";
import { bundle, newDataFolder, type Platform, removeDataFolder, startPlatform } from "../platform/platform.ts";
import { target, wallMs } from "../platform/weights.ts";
import { needed } from "../real-parts.ts";
import type { RealLeg } from "./leg.ts";
import { turnReady } from "./verdict/pods.ts";
import {
  type BenchRegion,
  idlePercent,
  standBack,
  startBenchRegion,
  startForeignWriter,
  writeRegionsFile,
} from "./verdict/region.ts";

const times = timesAsked(20);
const names = ["us-east-1", "eu-west-1", "ap-southeast-1"];
const replicas = 4;
const firstWeight = 5;

type World = {
  readonly platform: Platform;
  readonly regions: readonly BenchRegion[];
  readonly digest: Digest;
  readonly say: (line: string) => void;
};
/** Milliseconds until the last of the three API servers had weight 0. */
type Samples = { readonly verdicts: readonly number[]; readonly aborts: readonly number[] };

/**
 * `npm start` with three real API servers for regions: from the moment that stands in a verdict, and from before a person's request is sent, until a
 * watch of our own tells that the VirtualService in the last of them gives the canary nothing. `_foreign`: while somebody changes that object 20 times a
 * second in each region. `_unready`: with one of the baseline's four pods not ready. Pods run nothing here and requests are counted by a page: the objects are timed.
 */
export const verdictLeg: RealLeg = {
  name: "verdict",
  parts: ["etcd", "kubernetes", "istio-crds"],
  ownDisks: true,
  async measure(say) {
    const closing: (() => Promise<unknown>)[] = [];
    try {
      const program = await bundle();
      const parts = { etcd: needed("etcd"), kubernetes: needed("kubernetes"), crds: needed("istio-crds") };
      const regions: BenchRegion[] = [];
      // One after the other: two cores have enough to do with one at a time.
      for (const name of names) {
        const region = await startBenchRegion(name, parts);
        regions.push(region);
        closing.push(region.stop);
      }
      standBack();
      const idle = await idlePercent();
      say(`three API servers stand, and take ${idle.toFixed(0)}% of a core`);
      const dataDir = await newDataFolder();
      closing.push(() => removeDataFolder(dataDir));
      const platform = await startPlatform([program], dataDir, { SLIPWAY_REGIONS: await writeRegionsFile(regions) });
      closing.push(platform.stop);
      const example = await openExample(platform, replicas);
      const first = await deployFirst(platform, await bring(platform, example, "feat: the first version"));
      const digest = await bring(platform, example, "feat: the next version", "good");
      const figures = await measureAll({ platform, regions, digest, say }, first.version);
      return { runs: 6 * times, figures: { ...figures, api_servers_idle_cpu_percent: rounded(idle) } };
    } finally {
      for (const close of closing.reverse()) await close();
    }
  },
};

async function measureAll(world: World, baseline: VersionName): Promise<Record<string, number>> {
  const { regions, say } = world;
  const plain = await takeBack(world, "");
  const writers = regions.map((region, at) => startForeignWriter(region, at / regions.length));
  const foreign = await takeBack(world, "foreign writer, ");
  const written = await Promise.all(writers.map((writer) => writer.stop()));
  say(`the foreign writers wrote ${written.map((rate) => rate.toFixed(1)).join(", ")} times a second`);
  await turnOne(regions, baseline, false);
  const unready = await takeBack(world, "unready baseline, ");
  await turnOne(regions, baseline, true);
  return { ...figuresOf("", plain), ...figuresOf("_foreign", foreign), ...figuresOf("_unready", unready) };
}

async function takeBack(world: World, how: string): Promise<Samples> {
  const samples = { verdicts: [] as number[], aborts: [] as number[] };
  for (let count = 0; count < times; count += 1) {
    const verdict = await failOne(world);
    const abort = await abortOne(world);
    world.say(`${how}weight 0 ${verdict.toFixed(0)} ms after a verdict, ${abort.toFixed(0)} ms after an abort`);
    samples.verdicts.push(verdict);
    samples.aborts.push(abort);
  }
  return samples;
}

async function begin({ platform, regions, digest }: World) {
  const view = await deploy(platform, digest);
  await Promise.all(regions.map((region) => region.reaches(view.version, firstWeight)));
  return view;
}

async function failOne(world: World): Promise<number> {
  const { deployment_id, version } = await begin(world);
  const since = wallMs();
  for (const { mesh } of world.regions) mesh.fail(version);
  const zero = await lastZero(world, version, since);
  const view = await untilEnded(world.platform, deployment_id);
  for (const { mesh } of world.regions) mesh.fail(undefined);
  const verdict = view.gates.find((gate) => gate.verdict === "FAIL");
  if (view.status !== "ROLLED_BACK" || verdict === undefined)
    throw new Error(`${deployment_id} ended ${view.status}: ${view.reason}`);
  return zero - Date.parse(verdict.at);
}

/** A person takes a deployment back at a chance moment of its first bake. */
async function abortOne(world: World): Promise<number> {
  const { deployment_id, version } = await begin(world);
  await pause(500 + Math.random() * 1_000);
  const since = wallMs();
  const zero = lastZero(world, version, since);
  const asked = { params: { id: deployment_id }, body: { reason: "benchmark" } };
  await world.platform.as("deployer").call(rollbackDeployment, asked);
  const ms = (await zero) - since;
  await untilEnded(world.platform, deployment_id);
  return ms;
}

async function lastZero({ regions }: World, version: VersionName, since: number): Promise<number> {
  return Math.max(...(await Promise.all(regions.map(({ weights }) => weights.zeroAt(version, since)))));
}

async function turnOne(regions: readonly BenchRegion[], version: VersionName, ready: boolean): Promise<void> {
  for (const { name, admin, cluster } of regions) {
    await turnReady(admin, { environment: target.environment, version }, ready);
    const seen = async () => (await cluster.readWorkload(target, version))?.ready === (ready ? replicas : replicas - 1);
    await until(seen, { what: `a pod of ${version} to be ${ready ? "" : "un"}ready in ${name}`, timeoutMs: 60_000 });
  }
}

function figuresOf(how: string, { verdicts, aborts }: Samples): Record<string, number> {
  return {
    [`verdict_to_zero${how}_p50_ms`]: rounded(percentile(verdicts, 0.5)),
    [`verdict_to_zero${how}_p99_ms`]: rounded(percentile(verdicts, 0.99)),
    [`abort_to_zero${how}_p50_ms`]: rounded(percentile(aborts, 0.5)),
    [`abort_to_zero${how}_p99_ms`]: rounded(percentile(aborts, 0.99)),
  };
}
