import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type DeploymentView, getDeployment, listNotifications, putRepository, putService } from "@slipway/contracts";
import type { ServiceName } from "@slipway/kernel";
import { HookFile } from "../git/deliver-push.ts";
import { ensureBareRepository } from "../git/repository.ts";
import { promoteToProd, pushAndBuild } from "./building.ts";
import { type Check, checks } from "./checks.ts";
import { StoryFailed, serviceName, type Telling, waitFor } from "./context.ts";
import { deploy } from "./deploying.ts";
import { badReport, changeReport, type RunReport, writeReport } from "./report.ts";
import { openStory } from "./state.ts";
import { tellSummary } from "./summary.ts";
import { readLoad, servedWeight, startTraffic } from "./traffic.ts";
import { openWorkingCopy } from "./working-copy.ts";

export type StoryInput = Omit<Telling, "file" | "copy" | "countsFile"> & {
  readonly home: string;
  readonly entry: string;
};

/**
 * The main job, told: a first version, a good change that is promoted on evidence, a bad one that is taken back by itself. Goes on where a
 * killed platform left it. Resolves to the exit code.
 */
export async function runStory(input: StoryInput): Promise<number> {
  const { stack, options, tell, home } = input;
  const file = openStory(join(options.dataDir, "story", "story.json"));
  const remote = await prepareRepository(input);
  const copy = await openWorkingCopy({
    folder: join(options.dataDir, "story", "orders"),
    example: join(home, "examples", "order-service"),
    remote,
    tokenFile: stack.tokenFile("deployer"),
  });
  const telling: Telling = { ...input, file, copy, countsFile: join(options.dataDir, "story", "load.json") };
  try {
    return await tellChapters(telling);
  } catch (error) {
    if (!(error instanceof StoryFailed)) throw error;
    tell.line(`The story broke off: ${error.message}`);
    return 1;
  } finally {
    await stack.supervisor.end("load");
  }
}

async function tellChapters(telling: Telling): Promise<number> {
  const { file, tell } = telling;
  if (!file.state.served) {
    tell.chapter("First version");
    const digest = await pushAndBuild(telling, "first");
    await promoteToProd(telling, digest);
    const view = await deploy(telling, "first", digest);
    if (view.status !== "SUCCEEDED")
      throw new StoryFailed(`the first version ended ${view.status}: ${view.reason ?? ""}`);
    file.state.served = true;
    file.save();
  }
  await startTraffic(telling);
  const good = await tellChange(telling, "good", "A good change");
  const bad = await tellChange(telling, "bad", "A bad change");
  return conclude(telling, good, bad);
}

async function tellChange(telling: Telling, name: "good" | "bad", title: string): Promise<DeploymentView> {
  const { file, tell, stack, countsFile } = telling;
  const change = file.state[name];
  if (change.after !== undefined && change.deployment_id !== undefined) {
    return stack.as("viewer").call(getDeployment, { params: { id: change.deployment_id } });
  }
  tell.chapter(title);
  const digest = await pushAndBuild(telling, name);
  await promoteToProd(telling, digest);
  const view = await deploy(telling, name, digest);
  // The load process writes its counts five times a second.
  await new Promise((resolve) => setTimeout(resolve, 600));
  change.after = readLoad(countsFile);
  file.save();
  return view;
}

async function conclude(telling: Telling, goodView: DeploymentView, badView: DeploymentView): Promise<number> {
  const { file, tell, options, stack } = telling;
  const { good, bad } = file.state;
  const maxima = await Promise.all(stack.layout.regions.map(({ adminUrl }) => servedWeight(adminUrl, badView.version)));
  const maxWeight = Math.max(
    0,
    ...maxima.map((served) => served?.max ?? 0),
    ...Object.values(bad.weights ?? {}).flat(),
  );
  const report: RunReport = {
    story: file.state.number,
    good: changeReport(goodView, good),
    bad: badReport(badView, bad, maxWeight),
  };
  const seen = {
    notified: await wasNotified(telling, badView.deployment_id),
    previousServesAll: await previousServesAll(telling, goodView.version),
  };
  const all = checks(report, seen);
  tellSummary(tell, report, all);
  if (options.report !== undefined) {
    writeReport(options.report, report);
    tell.line(`written: ${options.report}`);
  }
  file.state.finished = true;
  file.save();
  return all.every((check: Check) => check.holds) ? 0 : 1;
}

async function wasNotified(telling: Telling, deployment: string): Promise<boolean> {
  const look = async () => {
    const { notifications } = await telling.stack.as("viewer").call(listNotifications, { query: { page_size: 100 } });
    return notifications.some((note) => note.about === deployment && note.state === "delivered") ? true : undefined;
  };
  return waitFor(telling, "the notification", 10_000, look).catch((error: unknown) => {
    if (error instanceof StoryFailed) return false;
    throw error;
  });
}

/** Looks at what the load process counts for a second and a half. */
async function previousServesAll(telling: Telling, version: string): Promise<boolean> {
  const before = readLoad(telling.countsFile);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const after = readLoad(telling.countsFile);
  return Object.entries(after.regions).every(([region, counts]) =>
    Object.entries(counts.versions).every(([name, own]) => {
      const added = own.requests - (before.regions[region]?.versions[name]?.requests ?? 0);
      return name === version ? added > 0 : added === 0;
    }),
  );
}

/** The platform's own bare repository for the example, its webhook, and the service's registration. Returns where to push. */
async function prepareRepository({ stack, options, entry }: StoryInput): Promise<string> {
  const path = join(options.dataDir, "git", `${serviceName}.git`);
  const remote = `${stack.url}/git/${serviceName}.git`;
  const secret = webhookSecret(join(path, "slipway-hook.json"));
  await ensureBareRepository(
    path,
    {
      repository: path,
      url: remote,
      webhook: `${stack.url}/webhooks/github`,
      secret,
      fullName: `local/${serviceName}`,
    },
    entry,
  );
  const service = serviceName as ServiceName;
  const readable = new URL(remote);
  readable.username = "build-service";
  readable.password = readFileSync(stack.tokenFile("viewer"), "utf8").trim();
  await stack.as("admin").call(putService, { params: { name: service }, body: { owner: "Ada Newcomer" } });
  await stack.as("admin").call(putRepository, { params: { service }, body: { url: readable.href, secret } });
  return remote;
}

function webhookSecret(file: string): string {
  return existsSync(file)
    ? HookFile.parse(JSON.parse(readFileSync(file, "utf8"))).secret
    : randomBytes(24).toString("base64url");
}
