import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CloudEvent, listDeployments } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { eventsOf } from "./events.ts";
import { askKubectl, type KubectlAnswers, kubectlIsThere } from "./kubectl.ts";
import { type Split, servedNow, splitOf } from "./mesh.ts";
import { type Platform, startPlatform } from "./platform.ts";
import { type Found, processesOf } from "./processes.ts";

/** What one story looked like from outside: while it ran and afterwards. Plain data, so that every test file can have it. */
export type ToldStory = {
  readonly dataDir: string;
  readonly exitCode: number | null;
  readonly seconds: number;
  readonly output: string;
  readonly report: unknown;
  /** Taken while every proxy served 5% of the good change. */
  readonly during: {
    readonly canary: string;
    readonly servedBefore: Readonly<Record<string, number | null>>;
    readonly split: Split;
    readonly processes: readonly Found[];
    readonly kubectl: Readonly<Record<string, KubectlAnswers>> | undefined;
  };
  readonly events: Readonly<Record<string, readonly CloudEvent[]>>;
  readonly left: readonly Found[];
};

const topics = ["build", "artifact", "deployment", "watch"].map((name) => `slipway.${name}.v1`);

/** Runs `--once --report` to its end in an empty folder and looks at it meanwhile, as a newcomer with curl and kubectl would. */
export async function tellStory(dataDir: string): Promise<ToldStory> {
  const began = performance.now();
  const reportFile = join(dataDir, "run.json");
  const platform = startPlatform({ dataDir, args: ["--once", "--report", reportFile] });
  try {
    await platform.printed(/A good change[\s\S]*CANARY_MONITORING at 5%/, 400_000);
    const during = await lookDuring(platform);
    await platform.printed(/A bad change[\s\S]*\d s +ROLLED_BACK/, 400_000);
    const events = await eventsOf(dataDir, topics);
    const exitCode = await platform.exit();
    return {
      ...{ dataDir, exitCode, during, events },
      seconds: (performance.now() - began) / 1_000,
      output: platform.output(),
      report: JSON.parse(readFileSync(reportFile, "utf8")),
      left: processesOf(dataDir),
    };
  } catch (error) {
    platform.signal("SIGTERM");
    await platform.exit().catch(() => platform.kill());
    throw error;
  }
}

async function lookDuring(platform: Platform): Promise<ToldStory["during"]> {
  const { dataDir } = platform;
  const { regions } = platform.endpoints();
  const { deployments } = await platform.as("viewer").call(listDeployments, { query: { page_size: 1 } });
  const canary = deployments[0]?.version ?? "";
  const allAtFive = async () => {
    const now = await servedNow(regions, canary);
    return Object.values(now).every((weight) => weight === 5) ? now : undefined;
  };
  const servedBefore = await until(allAtFive, { what: "5% in every region" });
  const [first] = Object.values(regions);
  const split = await splitWhile(allAtFive, `http://127.0.0.1:${first?.mesh}`);
  const processes = processesOf(dataDir);
  const kubectl = (await kubectlIsThere()) ? await askAll(dataDir, Object.keys(regions)) : undefined;
  return { canary, servedBefore, split, processes, kubectl };
}

/** Ten rounds of 200 requests; fewer where the step is over before that, since a busy machine sends slowly and the gate does not wait for this. */
async function splitWhile(holds: () => Promise<unknown>, meshUrl: string): Promise<Split> {
  const total: Record<string, number> = {};
  for (let round = 0; round < 10; round += 1) {
    const counts = await splitOf(meshUrl, 200);
    if ((await holds()) === undefined) return total;
    for (const [version, count] of Object.entries(counts)) total[version] = (total[version] ?? 0) + count;
  }
  return total;
}

async function askAll(dataDir: string, regions: readonly string[]): Promise<Record<string, KubectlAnswers>> {
  const answers: Record<string, KubectlAnswers> = {};
  // One after the other: two cores have a story to tell at the same time.
  for (const region of regions) answers[region] = await askKubectl(dataDir, region);
  return answers;
}
