import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CloudEvent, listDeployments } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { killAndAwait, killPostgres } from "../support/comes-back.ts";
import { eventsOf, type Notice, noticesOf } from "../support/events.ts";
import { type TrafficWrite, trafficWrites } from "../support/fences.ts";
import { servedNow } from "../support/mesh.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { comesTo, logFromNow } from "../support/platform-log.ts";
import { type Found, podsOf, processesOf } from "../support/processes.ts";

const Ends = z.object({
  story: z.number(),
  good: z.object({ status: z.string(), git_sha: z.string(), deployment_id: z.string(), failed_requests: z.number() }),
  bad: z.object({ status: z.string(), git_sha: z.string(), deployment_id: z.string(), max_weight_percent: z.number() }),
});

const { dataDir } = inject("story");
const regions = ["us-east-1", "eu-west-1", "ap-southeast-1"] as const;
const topics = ["slipway.build.v1", "slipway.artifact.v1", "slipway.deployment.v1", "slipway.watch.v1"];
const reportFile = join(dataDir, "crash.json");

const log = logFromNow(dataDir);
let platform: Platform | undefined;
const seen = {
  exitCode: -1 as number | null,
  output: "",
  podsBefore: new Map<string, number>() as ReadonlyMap<string, number>,
  podsAfter: new Map<string, number>() as ReadonlyMap<string, number>,
  events: {} as Readonly<Record<string, readonly CloudEvent[]>>,
  notices: [] as readonly Notice[],
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
  for (const moment of moments) {
    const running = start();
    await moment(running);
    await running.kill();
  }
  const last = start();
  seen.exitCode = await last.exit(500_000);
  seen.output = last.output();
  seen.left = processesOf(dataDir);
  seen.events = await eventsOf(dataDir, topics);
  seen.notices = await noticesOf(dataDir);
}, 1_500_000);

afterAll(async () => {
  if (platform === undefined || processesOf(dataDir).length === 0) return;
  // A failure on the way: the next file needs a folder on which nothing runs.
  const rest = startPlatform({ dataDir, args: ["--no-story", "--once"] });
  await rest.exit();
});

/** When the platform is killed, in the order of the story; each is started again on what the one before left. */
const moments: readonly ((running: Platform) => Promise<void>)[] = [
  // build
  (running) => running.printed(/A good change[\s\S]*compile +succeeded/, 400_000),
  // push
  (running) => log.line(running, "an image on its way to the registry", comesTo("build", "imaging")),
  // promotion
  (running) => running.printed(/promoted to staging/, 400_000),
  // lock
  (running) => log.line(running, "the lock", ({ msg }) => msg === "lock granted"),
  // scale
  (running) => scaled(running),
  // weight
  () => firstWeight(),
  // gate; while the bake lasts, the processes around the platform are killed too, one after the other
  (running) => gateAfterOtherKills(running),
  // abort
  () => shutSomewhere(),
  // drain
  () => shutEverywhere(),
  // notification
  (running) => log.line(running, "the end of the bad change", comesTo("deployment", "rolled_back")),
];

/** The workload of the good change is there, its pods are not yet ready. */
async function scaled({ as }: Platform): Promise<void> {
  await until(
    async () => {
      const { deployments } = await as("viewer").call(listDeployments, { query: { page_size: 1 } });
      return deployments[0]?.phase === "preparing";
    },
    { timeoutMs: 180_000, what: "pods being made" },
  );
}

/** As soon as the first region has the first weight. */
async function firstWeight(): Promise<void> {
  const id = await lastDeployment();
  await until(() => writesOf(regions[0], id).some((write) => Object.values(write.weights).includes(5)), {
    timeoutMs: 180_000,
    what: "the first weight of the good change",
  });
}

async function gateAfterOtherKills(running: Platform): Promise<void> {
  await running.printed(/CANARY_MONITORING/);
  const viewer = running.as("viewer");
  const { deployments } = await viewer.call(listDeployments, { query: { page_size: 1 } });
  const version = deployments[0]?.version ?? "";
  await until(async () => Object.values(await servedNow(running.endpoints().regions, version)).every((w) => w === 5), {
    timeoutMs: 120_000,
    what: "5% in every region",
  });
  seen.podsBefore = podsOf(dataDir, regions[0]);
  await Promise.all([killAndAwait(dataDir, regions[0]), killAndAwait(dataDir, "rollback-controller")]);
  seen.podsAfter = podsOf(dataDir, regions[0]);
  await killPostgres(dataDir);
  // The platform lives through all of it, and its story goes on.
  await running.printed(/gate at 5%: PASS[\s\S]*ROLLING_OUT at 25%/, 300_000);
}

/** The rollback-controller has shut the bad change out of one region at least; the platform is about to hear of it. */
async function shutSomewhere(): Promise<void> {
  await platform?.printed(/A bad change[\s\S]*CANARY_MONITORING/, 400_000);
  const id = await lastDeployment();
  await until(() => regions.some((region) => writesOf(region, id).at(-1)?.gate === "shut"), {
    timeoutMs: 180_000,
    what: "a shut fence",
  });
}

/** No region gives it anything any more, and its pods are still there. */
async function shutEverywhere(): Promise<void> {
  const id = await lastDeployment();
  await until(() => regions.every((region) => writesOf(region, id).at(-1)?.gate === "shut"), {
    timeoutMs: 180_000,
    what: "every fence shut",
  });
}

async function lastDeployment(): Promise<string> {
  const running = platform as Platform;
  const { deployments } = await until(() => running.as("viewer").call(listDeployments, { query: { page_size: 1 } }), {
    timeoutMs: 180_000,
    what: "the API",
  });
  return deployments[0]?.deployment_id ?? "";
}

const writesOf = (region: string, id: string): readonly TrafficWrite[] =>
  trafficWrites(dataDir, region).filter(({ deployment }) => deployment === id);

describe("a story whose platform is killed in the build, push, promotion, lock, scale, weight, gate, abort, drain and notification", () => {
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

  test("tells each thing once: no event and no notice came twice", () => {
    const all = Object.values(seen.events).flat();
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const report = Ends.parse(JSON.parse(readFileSync(reportFile, "utf8")));
    const ends = { good: "deployment.succeeded", bad: "deployment.rolled_back" } as const;
    for (const [name, type] of Object.entries(ends)) {
      const id = report[name as keyof typeof ends].deployment_id;
      for (const once of ["deployment.accepted", "deployment.granted", "deployment.opened", type])
        expect(of("slipway.deployment.v1", once).filter(({ subject }) => subject === id)).toHaveLength(1);
    }
    expect(
      of("slipway.watch.v1", "watch.failed").filter(({ subject }) => subject === report.bad.deployment_id),
    ).toHaveLength(1);
    const told = seen.notices.map(({ about, title }) => `${about} ${title}`);
    expect(told).toEqual([...new Set(told)]);
    const bad = seen.notices.filter(({ about }) => about === report.bad.deployment_id);
    // A first region that has shown harm while the others were still being raised stops the ramp first: not each run sees it.
    const held = bad.filter(({ title }) => title.startsWith("Held"));
    for (const { text } of held) expect(text).toMatch(/evidence of harm/);
    expect(bad.slice(held.length).map(({ title }) => title)).toEqual([
      expect.stringMatching(/^Bad deployment caught at 5%/),
      expect.stringMatching(/^Taken back/),
    ]);
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
