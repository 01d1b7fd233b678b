import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getBuild, getWatch, listBuilds, rollbackDeployment } from "@slipway/contracts";
import { realPart, shiftedClock, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "./support/bundle.ts";
import { killPostgres } from "./support/comes-back.ts";
import { trafficWrites } from "./support/fences.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { processesOf } from "./support/processes.ts";
import { type RealBackends, startBackends } from "./support/real-backends.ts";
import { rollouts } from "./support/rollouts.ts";
import { RunJson, regions } from "./support/run-json.ts";
import { expectEventsInKafka, expectImagesInS3 } from "./support/seen-in-backends.ts";
import { steadyRequests } from "./support/steady-requests.ts";
import { expectToldOnce } from "./support/told-once.ts";
import { pushed, shipTurnable, type Turnable, turnBad } from "./support/turnable.ts";

const kafka = realPart("kafka");
const redis = realPart("redis");
const s3 = realPart("versitygw");
const away = kafka === undefined || redis === undefined || s3 === undefined;

let backends: RealBackends;
let dataDir: string;
let platform: Platform;

beforeAll(async () => {
  if (away) return;
  await bundle("real");
  dataDir = await mkdtemp(join(tmpdir(), "slipway-real-e2e-"));
  await chmod(dataDir, 0o755);
  backends = await startBackends({ kafka, redis, s3 });
});
afterAll(async () => {
  if (dataDir === undefined) return;
  await backends?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** Whoever tells the story looks again and again. */
const viewsAre = (of: RealBackends) =>
  until(async () => ((kept) => (kept.length > 0 ? kept : undefined))(await of.viewsKept()), { what: "views in Redis" });

const { canary, isServed, viewOf, isRolledBack, expectLowered } = rollouts(() => platform);

describe.skipIf(away)("the story on Kafka, Redis and S3", () => {
  let exitCode: number | null;
  let told: number;
  let shown: readonly string[];
  const report = () => RunJson.parse(JSON.parse(readFileSync(join(dataDir, "run.json"), "utf8")));

  beforeAll(async () => {
    const { env } = backends;
    platform = startPlatform({ dataDir, args: ["--once", "--report", join(dataDir, "run.json")], env });
    await platform.printed(/A good change[\s\S]*CANARY_MONITORING at 5%/, 600_000);
    told = await backends.changesTold();
    shown = await viewsAre(backends);
    exitCode = await platform.exit(900_000);
  });

  test("ends as it does on a laptop, and leaves no process behind", () => {
    expect(exitCode, platform.output()).toBe(0);
    expect(report().good).toMatchObject({ status: "SUCCEEDED", failed_requests: 0 });
    expect(report().bad).toMatchObject({ status: "ROLLED_BACK", max_weight_percent: 5 });
    expect(processesOf(dataDir)).toEqual([]);
  });

  test("has its events in Kafka, in order, and none in Postgres", async () => {
    const { good, bad } = report();
    await expectEventsInKafka(backends, { dataDir, good: good.deployment_id, bad: bad.deployment_id });
  });

  test("has its images in S3, and none on its disk", () => {
    expectImagesInS3(backends, dataDir);
  });

  test("told Redis of the locks that were granted", () => {
    expect(told).toBeGreaterThan(0);
  });

  test("kept in Redis what it showed of the change that was on its way, and leaves nothing there", async () => {
    expect(shown).toContain(report().good.deployment_id);
    await until(async () => (await backends.viewsKept()).length === 0, { what: "the views to end" });
  });
});

describe.skipIf(away)(
  "with a rollback-controller whose clock is half a minute behind, a rollout on Kafka, Redis and S3",
  () => {
    let requests: ReturnType<typeof steadyRequests>;

    beforeAll(async () => {
      const env = { ...backends.env, ...shiftedClock(-30_000, "rollback-controller") };
      platform = startPlatform({ dataDir, args: ["--no-story"], env });
      await platform.printed(/Yours now/, 400_000);
      requests = steadyRequests(platform.endpoints().regions);
    });
    afterAll(async () => {
      await requests?.stop();
      platform.interrupt();
      await platform.exit();
      expect(processesOf(dataDir)).toEqual([]);
    });

    const everywhere = (weight: number) => Object.fromEntries(regions.map((name) => [name, weight]));
    const readiness = async () => await (await fetch(new URL("/readyz", platform.endpoints().platform?.url))).text();

    test("that turns bad while Kafka is killed is taken back without it; once it is there again no event is missing and none was acted on twice", async () => {
      const shipped = await canary("real.1");
      await backends.kafka.kill(0);
      await turnBad(platform, shipped);
      await isServed(shipped, everywhere(0), "the baseline everywhere, without Kafka");
      await until(async () => /Kafka does not answer/.test(await readiness()), {
        ...{ timeoutMs: 60_000, what: "readiness to say why" },
      });

      await backends.kafka.restart(0);
      await isRolledBack(shipped);

      expectLowered(shipped);
      await expectToldOnce(platform, shipped, backends.events);
    });

    test("that a person takes back while Kafka is away is out of traffic before it is back", async () => {
      const shipped = await canary("real.5");
      await backends.kafka.kill(0);
      await platform
        .as("deployer")
        .call(rollbackDeployment, { params: { id: shipped.id }, body: { reason: "enough" } });
      await isServed(shipped, everywhere(0), "the baseline everywhere, without Kafka");

      await backends.kafka.restart(0);
      await isRolledBack(shipped);
      expectLowered(shipped);
    });

    test("that turns bad while Kafka, Redis and Postgres are killed is taken back without them; afterwards no event is missing and none was acted on twice", async () => {
      const shipped = await canary("real.6");
      const { as_of } = await platform.as("viewer").call(getWatch, { params: { id: shipped.id } });
      expect(Date.now() - Date.parse(as_of ?? "")).toBeGreaterThan(29_000);
      await Promise.all([backends.kafka.kill(0), backends.redis.kill(), backends.cache.kill()]);
      await Promise.all([killPostgres(dataDir), turnBad(platform, shipped)]);
      await isServed(shipped, everywhere(0), "the baseline everywhere, without any of them");

      await Promise.all([backends.kafka.restart(0), backends.redis.start(), backends.cache.start()]);
      await isRolledBack(shipped);

      expectLowered(shipped);
      await expectToldOnce(platform, shipped, backends.events);
    });

    test("keeps its lock while Redis is killed and wiped: who comes next waits, and nothing is deployed twice", async () => {
      const first = await canary("real.2");
      await backends.redis.kill();
      const second = await shipTurnable(platform, "real.3");
      const isBehind = async () => (await viewOf(second)).waiting?.holder === first.id;
      await until(isBehind, { timeoutMs: 60_000, what: "the second to wait for the first" });
      await backends.redis.start();
      await until(async () => (await backends.questions()) > 0, { timeoutMs: 60_000, what: "Redis to be asked again" });
      expect(await isBehind()).toBe(true);
      expect(writesOf(second)).toEqual([]);
      await isServed(first, everywhere(5), "the first as it was");

      await rollBack(first);
      await isServed(second, everywhere(5), "the second in its turn");
      await rollBack(second);

      for (const one of [first, second]) expectLowered(one);
      for (const region of regions) {
        const epochs = trafficWrites(dataDir, region).map(({ epoch }) => epoch);
        expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
      }
    });

    test("of a commit that is built while S3 is away waits with a reason, its log goes on, and it is built once S3 is back", async () => {
      await backends.s3.kill();
      const sha = await pushed(platform, "real.4");
      const viewer = platform.as("viewer");
      let last = "";
      const found = await until(
        async () => {
          const [listed] = (await viewer.call(listBuilds, { query: { git_sha: sha, page_size: 1 } })).builds;
          if (listed === undefined) return undefined;
          const build = await viewer.call(getBuild, { params: { id: listed.build_id } });
          last = JSON.stringify(build);
          return build.waiting?.for.includes("SLIPWAY_OBJECTS_URL") ? build : undefined;
        },
        { timeoutMs: 240_000, what: "the build to say what it waits for" },
      ).catch((error: unknown) => {
        throw new Error(last, { cause: error });
      });
      expect(`${found.waiting?.for} ${found.waiting?.unblockedBy}`).not.toContain(backends.s3.secretAccessKey);
      const during = await logOf(found.build_id);
      expect(during).toMatch(/compile/);

      await backends.s3.start();
      await until(
        async () => (await viewer.call(getBuild, { params: { id: found.build_id } })).status === "SUCCEEDED",
        {
          timeoutMs: 240_000,
          what: "the build",
        },
      );

      const whole = await logOf(found.build_id);
      expect(whole.startsWith(during)).toBe(true);
      expect(whole).toMatch(/registered orders@sha256:/);
    });

    const writesOf = ({ id }: Turnable) =>
      regions.flatMap((region) => trafficWrites(dataDir, region).filter(({ deployment }) => deployment === id));

    async function rollBack(shipped: Turnable): Promise<void> {
      await platform
        .as("deployer")
        .call(rollbackDeployment, { params: { id: shipped.id }, body: { reason: "enough" } });
      await isRolledBack(shipped);
    }

    async function logOf(build: string): Promise<string> {
      const url = new URL(`/api/v1/builds/${build}/logs`, platform.endpoints().platform?.url);
      return await (await fetch(url, { headers: { authorization: `Bearer ${platform.token("viewer")}` } })).text();
    }
  },
);
