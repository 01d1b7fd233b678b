import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, hasAddresses, realPart, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { exposureIsConsistent } from "../src/story/report.ts";
import { readLoad } from "../src/story/traffic.ts";
import { bundle } from "./support/bundle.ts";
import { type Platform, startPlatform } from "./support/platform.ts";
import { processesOf } from "./support/processes.ts";
import { type RealBackends, startBackends } from "./support/real-backends.ts";
import { type RealRegions, startRealRegions } from "./support/real-regions.ts";
import { RunJson, regions as regionNames } from "./support/run-json.ts";
import { expectEventsInKafka, expectImagesInS3 } from "./support/seen-in-backends.ts";

const [kafka, redis, s3] = [realPart("kafka"), realPart("redis"), realPart("versitygw")];
const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const [istio, envoy, prometheus] = [realPart("istio"), realPart("envoy"), realPart("prometheus")];
const behind = kafka && redis && s3 ? { kafka, redis, s3 } : undefined;
const cluster =
  etcd && kubernetes && crds && istio && envoy && prometheus
    ? { etcd, kubernetes, crds, istio, envoy, prometheus }
    : undefined;
const away = behind === undefined || cluster === undefined || !hasAddresses();

const TrafficObject = z.looseObject({ metadata: z.looseObject({ annotations: z.record(z.string(), z.string()) }) });

describe.skipIf(away)("npm start -- --once on real regions, Kafka, Redis and S3", () => {
  let dataDir: string;
  let backends: RealBackends;
  let regions: RealRegions;
  let platform: Platform;
  let exitCode: number | null;
  let shown: readonly string[];
  let told: number;
  /** Which version failed requests and when first, by region: what the load process counted. */
  const failures = () => {
    const { regions: counted } = readLoad(join(dataDir, "story", "load.json"));
    return JSON.stringify(Object.entries(counted).map(([name, { versions }]) => [name, versions]));
  };
  const report = () => RunJson.parse(JSON.parse(readFileSync(join(dataDir, "run.json"), "utf8")));

  beforeAll(async () => {
    await bundle("real");
    dataDir = await mkdtemp(join(tmpdir(), "slipway-real-regions-"));
    await chmod(dataDir, 0o755);
    regions = await startRealRegions(cluster!, regionNames);
    backends = await startBackends(behind!);
    const port = await freePort();
    platform = startPlatform({
      ...{ dataDir, args: ["--once", "--report", join(dataDir, "run.json")] },
      env: {
        ...backends.env,
        SLIPWAY_REGIONS: regions.file,
        SLIPWAY_PORT: String(port),
        SLIPWAY_MOVE_BUILD_LOGS: "1s",
      },
    });
    await until(() => existsSync(join(dataDir, "tokens", "viewer")), { what: "the tokens", timeoutMs: 120_000 });
    await regions.runPods({ dataDir, registryHost: `127.0.0.1:${port}` });
    await platform.printed(/A good change[\s\S]*CANARY_MONITORING at 5%/, 600_000);
    told = await backends.changesTold();
    shown = await until(async () => ((kept) => (kept.length > 0 ? kept : undefined))(await backends.viewsKept()), {
      what: "views in Redis",
    });
    exitCode = await platform.exit(900_000);
  });
  afterAll(async () => {
    await regions?.stop();
    await backends?.stop();
    if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
  });

  test("ends as on a laptop: the good change at 100% on evidence, the bad one taken back at 5%", () => {
    expect(exitCode, platform.output() + failures()).toBe(0);
    expect(report().good).toMatchObject({ status: "SUCCEEDED", failed_requests: 0 });
    for (const name of regionNames) expect(report().good.weights_seen[name]).toEqual([5, 25, 50, 100]);
    expect(report().good.evidence.map(({ verdict }) => verdict)).toEqual(["PASS", "PASS", "PASS"]);
    expect(report().bad).toMatchObject({ status: "ROLLED_BACK", max_weight_percent: 5 });
    for (const { requests, to_bad_version } of Object.values(report().bad.exposure)) {
      expect(to_bad_version).toBeGreaterThan(0);
      expect(exposureIsConsistent(to_bad_version, requests, 5), `${to_bad_version} of ${requests}`).toBe(true);
    }
  });

  test("leaves each region with a fence that the rollback has shut", async () => {
    for (const real of Object.values(regions.regions)) {
      const path = "/apis/networking.istio.io/v1/namespaces/prod/virtualservices/orders";
      const { metadata } = TrafficObject.parse(await real.api("GET", path));
      expect(metadata.annotations["slipway.dev/fence"]).toMatch(/\/shut\//);
    }
  });

  test("has its events in Kafka, and its images and the logs of its builds in S3", async () => {
    const { good, bad } = report();
    await expectEventsInKafka(backends, { dataDir, good: good.deployment_id, bad: bad.deployment_id });
    expectImagesInS3(backends, dataDir);
    const others = backends.objects().filter((path) => !path.includes("sha256"));
    expect(others).toContainEqual(expect.stringMatching(/logs\/B-\d+\/\d+\.gz/));
  });

  test("told Redis of the locks that were granted", () => {
    expect(told).toBeGreaterThan(0);
  });

  test("kept in Redis what it showed of the change that was on its way", () => {
    expect(shown).toContain(report().good.deployment_id);
  });

  test("starts no region of its own", () => {
    expect(existsSync(join(dataDir, "pids"))).toBe(true);
    expect(readdirSync(join(dataDir, "logs")).filter((name) => /mesh|us-east/.test(name))).toEqual([]);
    // What is left are the pods, which are their nodes' to end.
    expect(processesOf(dataDir).filter(({ command }) => command.includes("standalone"))).toEqual([]);
  });
});
