import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { instant } from "@slipway/kernel";
import { Agent, request } from "undici";
import { z } from "zod";
import { reportReady } from "../processes/report-ready.ts";
import { addAnswer, emptyCounts, LoadCounts, noteTime, type RegionCounts } from "../story/load-counts.ts";
import { untilSignalled } from "./until-signalled.ts";

/** What is due is sent this often: 200 requests a second one by one would cost half as much again, most of it in waking up for each. */
const defaultTickMs = 50;

const LoadConfig = z.object({
  dataDir: z.string(),
  /** Where the counts are kept: a load that is started again counts on from them. */
  countsFile: z.string(),
  host: z.string(),
  path: z.string(),
  requestsPerSecond: z.number().positive(),
  tickMs: z.number().positive().default(defaultTickMs),
  regions: z.record(z.string(), z.url()),
});

const writeEveryMs = 200;
const requestTimeoutMs = 5_000;
/** What is under way when the load stops is waited for and counted, so that the counts agree with the proxies' own. */
const stopWithinMs = 3_000;
const underWay = new Set<Promise<void>>();

/** Drives requests through each region's mesh at a fixed rate, whatever the answers take, and counts the answers by version. */
export async function runLoad(text: string): Promise<void> {
  const config = LoadConfig.parse(JSON.parse(text));
  const counts = readCounts(config.countsFile, Object.keys(config.regions));
  const agent = new Agent({ connections: 32, pipelining: 1, keepAliveTimeout: 10_000 });
  const timers = Object.entries(config.regions).map(([region, url]) =>
    drive(config, url, agent, counts.regions[region] ?? emptyCounts()),
  );
  const writer = setInterval(() => {
    for (const region of Object.values(counts.regions)) noteTime(region, Date.now());
    writeCounts(config.countsFile, counts);
  }, writeEveryMs);
  reportReady(config.dataDir, {});
  await untilSignalled();
  for (const timer of timers) clearInterval(timer);
  await allAnswered(stopWithinMs);
  clearInterval(writer);
  writeCounts(config.countsFile, counts);
  process.exit(0);
}

/** An open loop: what is due by the clock is sent, so that a slow answer slows nobody else down. */
function drive(config: z.infer<typeof LoadConfig>, url: string, agent: Agent, counts: RegionCounts): NodeJS.Timeout {
  const began = performance.now();
  let sent = 0;
  return setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1_000) * config.requestsPerSecond);
    // After a pause of this process the missed requests are not made up in one burst.
    if (due - sent > config.requestsPerSecond) sent = due - Math.ceil(config.requestsPerSecond / 10);
    for (; sent < due; sent += 1) {
      const asked = ask(config, url, agent, counts).finally(() => underWay.delete(asked));
      underWay.add(asked);
    }
  }, config.tickMs);
}

async function allAnswered(withinMs: number): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, withinMs).unref());
  await Promise.race([Promise.all(underWay), late]);
}

async function ask(config: z.infer<typeof LoadConfig>, url: string, agent: Agent, counts: RegionCounts): Promise<void> {
  const began = performance.now();
  try {
    const answer = await request(`${url}${config.path}`, {
      dispatcher: agent,
      headers: { host: config.host },
      headersTimeout: requestTimeoutMs,
      bodyTimeout: requestTimeoutMs,
    });
    await answer.body.dump();
    // A mesh of this laptop says who answered; behind any other the example's own word is all there is.
    const version = answer.headers["x-slipway-version"] ?? answer.headers["x-version"];
    addAnswer(counts, {
      version: typeof version === "string" ? version : "none",
      // What no version answered is the mesh's own word that it has nobody to ask.
      failed: answer.statusCode >= 500 || typeof version !== "string",
      ms: performance.now() - began,
      at: instant(Date.now()),
    });
  } catch {
    addAnswer(counts, { version: "none", failed: true, ms: performance.now() - began, at: instant(Date.now()) });
  }
}

function readCounts(file: string, regions: readonly string[]): LoadCounts {
  const before = existsSync(file) ? LoadCounts.parse(JSON.parse(readFileSync(file, "utf8"))) : undefined;
  const all = Object.fromEntries(regions.map((region) => [region, before?.regions[region] ?? emptyCounts()]));
  return { regions: all };
}

function writeCounts(file: string, counts: LoadCounts): void {
  writeFileSync(`${file}.new`, JSON.stringify(counts));
  renameSync(`${file}.new`, file);
}
