import { join } from "node:path";
import { type DeploymentView, getDeployment, listNotifications } from "@slipway/contracts";
import { promoteToProd, pushAndBuild } from "./building.ts";
import { type Check, checks } from "./checks.ts";
import { StoryFailed, type Telling, waitFor } from "./context.ts";
import { deploy } from "./deploying.ts";
import { firstVersion } from "./first-version.ts";
import { openWork, type WorkInput } from "./prepare.ts";
import { badReport, changeReport, type RunReport, writeReport } from "./report.ts";
import { type Change, openStory } from "./state.ts";
import { storyChange } from "./story-change.ts";
import { tellSummary } from "./summary.ts";
import { readLoad, servedWeight, startTraffic } from "./traffic.ts";

export type StoryInput = WorkInput & {
  /** Told when a change has come to its end, with the load's counts before and after. */
  readonly changeEnded: (view: DeploymentView, change: Change) => Promise<void>;
};

type StoryTelling = Telling & Pick<StoryInput, "changeEnded">;

/**
 * The main job, told: a first version, a good change that is promoted on evidence, a bad one that is taken back by itself. Goes on where a
 * killed platform left it. Resolves to the exit code.
 */
export async function runStory(input: StoryInput): Promise<number> {
  const { stack, options, tell } = input;
  const file = openStory(join(options.dataDir, "story", "story.json"));
  const telling = { ...input, ...(await openWork(input)), file };
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

async function tellChapters(telling: StoryTelling): Promise<number> {
  await firstVersion(telling);
  const good = await tellChange(telling, "good", "A good change");
  // While the next change is built nobody has to be served: it has the machine to itself.
  await telling.stack.supervisor.end("load");
  const bad = await tellChange(telling, "bad", "A bad change");
  return conclude(telling, good, bad);
}

async function tellChange(telling: StoryTelling, name: "good" | "bad", title: string): Promise<DeploymentView> {
  const { file, tell, stack, countsFile } = telling;
  const change = file.state[name];
  if (change.after !== undefined && change.deployment_id !== undefined) {
    return stack.as("viewer").call(getDeployment, { params: { id: change.deployment_id } });
  }
  tell.chapter(title);
  const onItsWay = storyChange(telling, name);
  const digest = await pushAndBuild(telling, onItsWay);
  await promoteToProd(telling, digest);
  const view = await deploy(telling, onItsWay, digest);
  // The load process writes its counts five times a second.
  await new Promise((resolve) => setTimeout(resolve, 600));
  change.after = readLoad(countsFile);
  file.save();
  await telling.changeEnded(view, change);
  return view;
}

async function conclude(telling: Telling, goodView: DeploymentView, badView: DeploymentView): Promise<number> {
  const { file, tell, options, stack } = telling;
  const { good, bad } = file.state;
  const maxima = await Promise.all(
    stack.layout.regions.map(({ local }) => servedWeight(local?.adminUrl, badView.version)),
  );
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
  await startTraffic(telling);
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
