import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CloudEvent, listDeployments } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { killAndAwait, killPostgres } from "./support/comes-back.ts";
import { eventsOf } from "./support/events.ts";
import { type TrafficWrite, trafficWrites } from "./support/fences.ts";
import { servedNow } from "./support/mesh.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { type Found, podsOf, processesOf } from "./support/processes.ts";

const Ends = z.object({
  story: z.number(),
  good: z.object({ status: z.string(), git_sha: z.string(), deployment_id: z.string(), failed_requests: z.number() }),
  bad: z.object({ status: z.string(), git_sha: z.string(), deployment_id: z.string(), max_weight_percent: z.number() }),
});

const { dataDir } = inject("story");
const regions = ["us-east-1", "eu-west-1", "ap-southeast-1"] as const;
const reportFile = join(dataDir, "crash.json");

let platform: Platform | undefined;
const seen = {
  exitCode: -1 as number | null,
  output: "",
  podsBefore: new Map<string, number>() as ReadonlyMap<string, number>,
  podsAfter: new Map<string, number>() as ReadonlyMap<string, number>,
  events: {} as Readonly<Record<string, readonly CloudEvent[]>>,
  left: [] as readonly Found[],
};

/** The next start on the same folder. Build steps are isolated without bubblewrap here: the other way of the two. */
function start(): Platform {
  platform = startPlatform({
    dataDir,
    args: ["--once", "--report", reportFile],
    env: { SLIPWAY_ISOLATION: "namespaces" },
  });
  return platform;
}

beforeAll(async () => {
  await killDuringBuild(start());
  await killDuringRaise(start());
  await killDuringBake(start());
  await killDuringRollback(start());
  const last = start();
  seen.exitCode = await last.exit(180_000);
  seen.output = last.output();
  seen.left = processesOf(dataDir);
  seen.events = await eventsOf(dataDir, ["slipway.build.v1", "slipway.deployment.v1"]);
});

afterAll(async () => {
  if (platform === undefined || processesOf(dataDir).length === 0) return;
  // A failure on the way: the next file needs a folder on which nothing runs.
  const rest = startPlatform({ dataDir, args: ["--no-story", "--once"] });
  await rest.exit();
});

async function killDuringBuild(running: Platform): Promise<void> {
  await running.printed(/A good change[\s\S]*compile +succeeded/);
  await running.kill();
}

/** As soon as the first region has the first weight. */
async function killDuringRaise(running: Platform): Promise<void> {
  const before = trafficWrites(dataDir, regions[0]).length;
  await until(() => trafficWrites(dataDir, regions[0]).slice(before).some(isFirstRaise), {
    timeoutMs: 60_000,
    what: "the first weight of the good change",
  });
  await running.kill();
}

const isFirstRaise = (write: TrafficWrite) => Object.values(write.weights).includes(5);

/** While the bake lasts, the processes around the platform are killed too, one after the other. */
async function killDuringBake(running: Platform): Promise<void> {
  await running.printed(/CANARY_MONITORING/);
  const viewer = running.as("viewer");
  const { deployments } = await viewer.call(listDeployments, { query: { page_size: 1 } });
  const version = deployments[0]?.version ?? "";
  await until(async () => Object.values(await servedNow(running.endpoints().regions, version)).every((w) => w === 5), {
    what: "5% in every region",
  });
  seen.podsBefore = podsOf(dataDir, regions[0]);
  await Promise.all([killAndAwait(dataDir, regions[0]), killAndAwait(dataDir, "rollback-controller")]);
  seen.podsAfter = podsOf(dataDir, regions[0]);
  await killPostgres(dataDir);
  // The platform lives through all of it, and its story goes on.
  await running.printed(/gate at 5%: PASS[\s\S]*ROLLING_OUT at 25%/, 60_000);
  await running.kill();
}

async function killDuringRollback(running: Platform): Promise<void> {
  await running.printed(/A bad change[\s\S]*ROLLING_BACK/, 120_000);
  await running.kill();
}

describe("a story whose platform is killed in the build, the raise, the bake and the rollback", () => {
  test("comes to the same end", () => {
    expect(seen.exitCode, seen.output).toBe(0);
    const report = Ends.parse(JSON.parse(readFileSync(reportFile, "utf8")));
    expect(report.good).toMatchObject({ status: "SUCCEEDED", failed_requests: 0 });
    expect(report.bad).toMatchObject({ status: "ROLLED_BACK", max_weight_percent: 5 });
  });

  test("leaves no process behind", () => {
    expect(seen.left).toEqual([]);
  });

  test("keeps the pods of a region whose process was killed: the same ones, adopted", () => {
    expect(seen.podsBefore.size).toBeGreaterThanOrEqual(4);
    expect(seen.podsAfter).toEqual(seen.podsBefore);
  });

  test("builds each commit once and deploys each change once", () => {
    const report = Ends.parse(JSON.parse(readFileSync(reportFile, "utf8")));
    const queued = of("slipway.build.v1", "build.queued");
    const accepted = of("slipway.deployment.v1", "deployment.accepted");
    for (const { git_sha, deployment_id } of [report.good, report.bad]) {
      expect(queued.filter((event) => JSON.stringify(event.data).includes(git_sha))).toHaveLength(1);
      expect(accepted.filter((event) => JSON.stringify(event).includes(deployment_id))).toHaveLength(1);
    }
    // Three of the story before (the first version was its own), two of this one.
    expect(accepted).toHaveLength(new Set(accepted.map((event) => event.subject)).size);
    expect(new Set(queued.map((event) => event.subject)).size).toBe(queued.length);
  });

  test.each(regions)("writes no fence twice in %s and raises nothing behind a shut one", (region) => {
    const writes = trafficWrites(dataDir, region);
    for (const [i, write] of writes.entries()) {
      const before = writes[i - 1];
      if (before === undefined) continue;
      expect(write.seq, JSON.stringify([before, write])).toBeGreaterThan(before.seq);
      expect(write.epoch, JSON.stringify([before, write])).toBeGreaterThanOrEqual(before.epoch);
      if (before.gate === "shut" && before.epoch === write.epoch) expect(write.gate).toBe("shut");
    }
  });

  test.each(regions)("gives each weight of the plan once in %s", (region) => {
    const report = Ends.parse(JSON.parse(readFileSync(reportFile, "utf8")));
    const weights = (deployment: string, sha: string) =>
      trafficWrites(dataDir, region)
        .filter((write) => write.deployment === deployment)
        .map((write) => Object.entries(write.weights).find(([host]) => host.includes(sha.slice(0, 7)))?.[1] ?? 0)
        .filter((weight) => weight > 0);
    expect(weights(report.good.deployment_id, report.good.git_sha)).toEqual([5, 25, 50, 100]);
    expect(weights(report.bad.deployment_id, report.bad.git_sha)).toEqual([5]);
  });
});

function of(topic: string, type: string): readonly CloudEvent[] {
  return (seen.events[topic] ?? []).filter((event) => event.type === type);
}
