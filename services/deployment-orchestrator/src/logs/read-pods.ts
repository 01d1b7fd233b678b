import type { PodSummary, RegionCluster, Target } from "@slipway/cluster";
import type { ServiceLogLine, ServiceLogNote } from "@slipway/contracts";
import type { RegionName } from "@slipway/kernel";
import { lineMasker } from "@slipway/secrets";
import { pause } from "../effects/pause.ts";

export type LogSink = {
  /** False: nobody listens any more. */
  line(line: ServiceLogLine): Promise<boolean>;
  note(note: ServiceLogNote): Promise<boolean>;
};

export type PodReader = Pick<RegionCluster, "listPods" | "podLog">;

export type LogRequest = {
  readonly region: RegionName;
  readonly target: Target;
  readonly version: string | undefined;
  readonly tail: number;
  readonly signal: AbortSignal;
  /** How often a reader that follows looks for new pods, in milliseconds. */
  readonly lookMs: number;
  cluster(): Promise<PodReader>;
  /** Values that pods there may have been given: what they print is shown without them. */
  secretValues(): Promise<readonly string[]>;
};

/** More pods than anybody reads beside each other; the rest is said, not shown. */
const mostPods = 50;

/** What the pods of one region have printed so far. A region that does not answer is a note, not an error: the others are shown. */
export async function readRegion(request: LogRequest, sink: LogSink): Promise<void> {
  try {
    const cluster = await request.cluster();
    const pods = await podsOf(cluster, request);
    if (pods.length === 0) await say(request, sink, null, "no pods");
    for (const pod of pods) await readPod(cluster, request, pod, sink, false);
  } catch (error) {
    await say(request, sink, null, textOf(error));
  }
}

/** The same, and what they print from now on, pods that come later included, until `signal`. */
export async function followRegion(request: LogRequest, sink: LogSink): Promise<void> {
  const followed = new Map<string, Promise<void>>();
  let trouble: string | undefined;
  while (!request.signal.aborted) {
    try {
      const cluster = await request.cluster();
      const pods = await podsOf(cluster, request);
      if (trouble !== undefined) await say(request, sink, null, "answers again");
      trouble = undefined;
      for (const pod of pods) {
        // A container that starts again has a log of its own.
        const key = `${pod.name} ${pod.restarts}`;
        if (!followed.has(key)) followed.set(key, readPod(cluster, request, pod, sink, true));
      }
    } catch (error) {
      if (trouble === undefined) await say(request, sink, null, textOf(error));
      trouble = textOf(error);
    }
    await pause(request.lookMs, request.signal);
  }
  await Promise.all(followed.values());
}

async function podsOf(cluster: PodReader, { target, version }: LogRequest): Promise<readonly PodSummary[]> {
  const pods = await cluster.listPods(target);
  return pods.filter((pod) => version === undefined || pod.version === version).slice(0, mostPods);
}

async function readPod(
  cluster: PodReader,
  request: LogRequest,
  pod: PodSummary,
  sink: LogSink,
  follow: boolean,
): Promise<void> {
  const { target, tail, region } = request;
  // Also ends the reading where the lines are no longer wanted.
  const done = new AbortController();
  const signal = AbortSignal.any([request.signal, done.signal]);
  try {
    // Asked for each pod: one that comes later may have been given a newer value.
    const mask = lineMasker(await request.secretValues());
    for await (const line of await cluster.podLog(target, pod.name, { tail, follow, signal })) {
      if (!(await sink.line({ region, pod: pod.name, version: pod.version, line: mask(line) }))) return;
    }
    if (follow && !signal.aborted) await say(request, sink, pod.name, "its log has ended");
  } catch (error) {
    if (!request.signal.aborted) await say(request, sink, pod.name, textOf(error));
  } finally {
    done.abort();
  }
}

async function say({ region }: LogRequest, sink: LogSink, pod: string | null, note: string): Promise<void> {
  await sink.note({ region, pod, note });
}

/** Beside each note stands its region already. */
function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^region [a-z0-9-]+: /, "");
}
