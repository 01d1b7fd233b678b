import { chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { OciError, packFolder, unpackFolder } from "@slipway/oci";
import type { ExecutorLogger, ExecutorStep } from "../executor.ts";
import { bytesText, timeText } from "../limits.ts";
import { quiet } from "../network/run-step-with-network.ts";
import type { Limits, StepResult } from "../types.ts";
import { keyOfRun, podFolders, type StartBody, type StepEnd } from "./channel.ts";
import type { Jobs } from "./jobs.ts";
import { jobName, type StepJob } from "./manifests.ts";
import { type PodView, resultOfEnd } from "./pod-view.ts";
import type { PodWatch } from "./pod-watch.ts";
import { ChannelBroken, RunnerRefused, type StepClient, stepClient } from "./step-client.ts";

export type PodWorld = {
  readonly jobs: Jobs;
  readonly namespace: string;
  readonly secret: string;
  readonly port: number;
  readonly startWithinMs: number;
  readonly log: ExecutorLogger;
  pods(): PodWatch;
};

const lookEveryMs = 2_000;
const againAfterMs = 250;
const mostEntries = 2_000_000;
const cancelled: StepResult = { outcome: "cancelled", exitCode: null, reason: "cancelled" };

/** The pod ended, or never began: a new one may do better. */
class PodLost extends Error {}

/** The cluster refuses what this kind of pod needs: the next one would be refused as this one. */
class PodRefused extends Error {}

/** In the words of the admission of Pod Security, and of those of policies. */
const refusal = /violates PodSecurity|ValidatingAdmissionPolicy '[^']+' .*denied request/;

/** One run of a step in a pod of its own: makes it, or goes on with the one that is there. */
export async function runInPod(world: PodWorld, step: ExecutorStep, job: StepJob): Promise<StepResult> {
  const signal = step.signal ?? new AbortController().signal;
  try {
    return await follow(world, step, job, signal);
  } catch (error) {
    if (signal.aborted) return cancelled;
    if (error instanceof PodRefused) {
      await world.jobs.remove(job.run);
      return { outcome: "failed", exitCode: null, reason: error.message };
    }
    // Its remains would be found by whoever tries again.
    if (error instanceof PodLost) await world.jobs.remove(job.run);
    throw error;
  }
}

async function follow(world: PodWorld, step: ExecutorStep, job: StepJob, signal: AbortSignal): Promise<StepResult> {
  let taken = step.outputFrom ?? 0;
  const onOutput = async (chunk: Uint8Array): Promise<void> => {
    taken += chunk.byteLength;
    await step.onOutput(chunk);
  };
  const jobUid = await ensureJob(world, step, job, signal);
  const begunAt = performance.now();
  let reached = false;
  for (;;) {
    signal.throwIfAborted();
    const pod = await podThatRuns(world, step, job, { jobUid, begunAt, reached, signal });
    if (pod.kind === "ended") return endWithoutWord(pod, job.limits);
    const over = new AbortController();
    const within = AbortSignal.any([signal, over.signal]);
    const key = keyOfRun(world.secret, job.run);
    const client = stepClient({ host: pod.address, port: world.port, key, signal: within });
    // A node that is lost closes no connection.
    void untilItLeaves(world.pods(), pod, within).then(() => over.abort(new Error("its pod has ended")));
    try {
      await startStep(client, step, job);
      reached = true;
      for await (const chunk of client.output(taken)) await onOutput(chunk);
      return await collect(client, step, job, await client.result());
    } catch (error) {
      if (!(error instanceof ChannelBroken)) throw error;
      world.log.debug({ job: jobName(job.run), pod: pod.name, err: error }, "the runner of a step is asked again");
      await pause(againAfterMs, undefined, { signal });
    } finally {
      over.abort();
      client.close();
    }
  }
}

async function untilItLeaves(pods: PodWatch, { job, name }: PodView, signal: AbortSignal): Promise<void> {
  for (let pod = pods.pod(job); pod?.kind === "running" && pod.name === name; pod = pods.pod(job)) {
    if (signal.aborted) return;
    await pods.changed(signal);
  }
}

/** The uid of the Job. What came before under its name may be on its way out. */
async function ensureJob(
  { jobs, secret }: PodWorld,
  step: ExecutorStep,
  job: StepJob,
  signal: AbortSignal,
): Promise<string> {
  for (let made = false; ; ) {
    signal.throwIfAborted();
    const found = await jobs.read(job.run);
    if (found.kind === "there" && !found.suspended) {
      if (!made) step.onNetwork(`goes on with its Job ${jobName(job.run)}`);
      return found.uid;
    }
    if (found.kind === "none" || found.kind === "there") {
      await jobs.make(job, keyOfRun(secret, job.run));
      made = true;
      continue;
    }
    if (found.kind === "over") await jobs.remove(job.run);
    await pause(againAfterMs, undefined, { signal });
  }
}

type Waiting = {
  readonly jobUid: string;
  readonly begunAt: number;
  readonly reached: boolean;
  readonly signal: AbortSignal;
};

async function podThatRuns(
  world: PodWorld,
  step: ExecutorStep,
  job: StepJob,
  { jobUid, begunAt, reached, signal }: Waiting,
) {
  const pods = world.pods();
  let told = "";
  for (;;) {
    signal.throwIfAborted();
    const pod = pods.pod(jobUid);
    if (pod !== undefined && pod.kind !== "waiting") return pod;
    const why = pod?.why ?? (await reasonForNoPod(world, job)) ?? "the cluster has made no pod yet";
    if (refusal.test(why)) throw new PodRefused(refusedText(world, job, why));
    if (performance.now() - begunAt > world.startWithinMs && !reached)
      throw new PodLost(`the step's pod did not start within ${timeText(world.startWithinMs)}: ${why}`);
    // The first moments of a pod are of no interest.
    if (why !== told && performance.now() - begunAt > lookEveryMs) {
      told = why;
      step.onNetwork(`waits for its pod: ${why}`);
    }
    await pods.changed(AbortSignal.any([signal, AbortSignal.timeout(lookEveryMs)]));
  }
}

function refusedText({ namespace }: PodWorld, { builds }: StepJob, why: string): string {
  const needs = builds
    ? "building a Dockerfile needs a namespace under Pod Security `privileged` (the chart makes it: docs/guides/builds-on-kubernetes.md, Dockerfiles)"
    : "a step needs no more than Pod Security `restricted` gives (docs/guides/builds-on-kubernetes.md, Builds)";
  return `the namespace ${namespace} does not take the step's pod: ${why}; ${needs}`;
}

async function reasonForNoPod({ jobs }: PodWorld, { run }: StepJob): Promise<string | undefined> {
  const found = await jobs.read(run);
  if (found.kind === "there") return jobs.trouble(run);
  if (found.kind === "over" && found.reason === "DeadlineExceeded") throw new PodLost("the step's Job ran out of time");
  const what = found.kind === "over" ? `ended (${found.reason}: ${found.message})` : "was deleted";
  throw new PodLost(`the step's Job ${jobName(run)} ${what}`);
}

function endWithoutWord(pod: Extract<PodView, { kind: "ended" }>, limits: Limits): StepResult {
  const result = resultOfEnd(pod, limits);
  if (result !== undefined) return result;
  const message = pod.message === "" ? "" : `: ${pod.message}`;
  throw new PodLost(`the step's pod ${pod.name} ended before the step did (${pod.reason}${message})`);
}

/** Sends what the step works with, unless an earlier asker has. */
async function startStep(client: StepClient, step: ExecutorStep, job: StepJob): Promise<void> {
  if ((await client.state()).phase !== "open") return;
  await client.putFiles(podFolders.workspace, packFolder(step.workspace));
  if (step.home !== undefined) await client.putFiles(podFolders.home, packFolder(step.home));
  for (const { from, to } of step.mounts ?? []) await client.putFiles(to, packFolder(from));
  await giveKept(client, step);
  await client.start(startBody(step, job));
}

function startBody(step: ExecutorStep, { limits, image }: StepJob): StartBody {
  const registries = step.network === "none" ? { GOPROXY: "off" } : settingsOf(step, image !== undefined);
  return {
    command: [...step.command],
    ...{ imageEnv: image !== undefined, home: step.home !== undefined, timeoutMs: step.timeoutMs, limits },
    env: { ...registries, ...quiet, ...step.env },
    secretEnv: { ...step.secretEnv },
  };
}

/** Where package managers look. An image of its own has its certificates elsewhere. */
function settingsOf({ registries }: ExecutorStep, ownImage: boolean): Readonly<Record<string, string>> {
  const { SSL_CERT_FILE: _ssl, PIP_CERT: _pip, NODE_EXTRA_CA_CERTS: _node, ...settings } = registries.env;
  return ownImage ? settings : registries.env;
}

/** Brings back what a step has made that did its work. */
async function collect(client: StepClient, step: ExecutorStep, job: StepJob, end: StepEnd): Promise<StepResult> {
  const { reason, ...rest } = end;
  const result: StepResult = reason === undefined ? rest : { ...rest, reason };
  if (result.outcome !== "succeeded") return result;
  try {
    await bring(client, podFolders.workspace, step.workspace, job.limits);
    if (step.home !== undefined) await bring(client, podFolders.home, step.home, job.limits);
    await bringKept(client, step, job);
    return result;
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    // Where it broke off, the rest can be had by asking again.
    if (error.cause instanceof ChannelBroken) throw error.cause;
    const why =
      error.kind === "too_large" ? `more than ${bytesText(job.limits.diskBytes)}: ${error.message}` : error.message;
    return { outcome: "failed", exitCode: result.exitCode, reason: `what the step left could not be taken: ${why}` };
  }
}

/** A step does without what is not taken there. */
async function giveKept(client: StepClient, { kept, onNetwork }: ExecutorStep): Promise<void> {
  if (kept?.from === undefined) return;
  try {
    await client.putFiles(`${podFolders.cache}/in`, packFolder(kept.from));
  } catch (error) {
    if (!(error instanceof RunnerRefused)) throw error;
    onNetwork(`cache: not restored: ${error.message}`);
  }
}

async function bringKept(client: StepClient, { kept, onNetwork }: ExecutorStep, { limits }: StepJob): Promise<void> {
  if (kept === undefined) return;
  try {
    await bring(client, `${podFolders.cache}/out`, kept.to, limits);
  } catch (error) {
    if (!(error instanceof RunnerRefused || error instanceof OciError) || error.cause instanceof ChannelBroken)
      throw error;
    onNetwork(`cache: not kept: ${error.message}`);
  }
}

/** All of a folder or nothing. */
async function bring(client: StepClient, from: string, folder: string, { diskBytes }: Limits): Promise<void> {
  const fresh = await mkdtemp(join(dirname(folder), ".coming-"));
  try {
    // A tar has a header of 512 bytes per entry, and rounds.
    const limits = { entries: mostEntries, bytes: 2 * diskBytes, fileBytes: diskBytes };
    await unpackFolder(await client.files(from), fresh, limits);
    await rm(folder, { recursive: true, force: true });
    await mkdir(dirname(folder), { recursive: true });
    await chmod(fresh, 0o755);
    await rename(fresh, folder);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
