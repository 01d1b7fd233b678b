import { randomUUID } from "node:crypto";
import { type Connection, connect, RegionUnavailable } from "@slipway/cluster";
import type { Executor, ExecutorLogger, ExecutorStep } from "../executor.ts";
import { defaultLimits } from "../limits.ts";
import type { IsolationRefused, Limits } from "../types.ts";
import { podFolders, stepPort } from "./channel.ts";
import { checkPlace } from "./check-place.ts";
import { openJobs } from "./jobs.ts";
import type { KubernetesPlace } from "./place.ts";
import { type PodWatch, watchPods } from "./pod-watch.ts";
import { runInPod } from "./run-in-pod.ts";

export type KubernetesExecutorOptions = {
  /** Known to whoever may go on with these steps, and to nobody else. */
  readonly secret: string;
  readonly log: ExecutorLogger;
  /** Where runners listen. */
  readonly port?: number;
};

const apiTimeoutMs = 10_000;
const mebibyte = 1_048_576;

/** Runs each step as a Job (ADR 19). Refuses a place where a step would not be held back as it has to be. */
export async function kubernetesExecutor(
  place: KubernetesPlace,
  options: KubernetesExecutorOptions,
): Promise<Executor | IsolationRefused> {
  const { kubeconfig, context, namespace } = place;
  const connection = await connect({ region: `builds in ${namespace}`, kubeconfig, context, timeoutMs: apiTimeoutMs });
  try {
    const refused = await checkPlace(connection, place);
    if (refused === undefined) return executorOver(connection, place, options);
    await connection.close();
    return refused;
  } catch (error) {
    // Steps wait for it, as they do when it goes away later.
    if (error instanceof RegionUnavailable) {
      options.log.warn({ err: error, namespace }, "the cluster in which steps run does not answer yet");
      return executorOver(connection, place, options);
    }
    await connection.close();
    throw error;
  }
}

function executorOver(connection: Connection, place: KubernetesPlace, options: KubernetesExecutorOptions): Executor {
  const { namespace, image } = place;
  const jobs = openJobs(connection, place);
  let watching: PodWatch | undefined;
  const world = {
    ...{ jobs, secret: options.secret, port: options.port ?? stepPort, log: options.log },
    startWithinMs: place.startSeconds * 1_000,
    pods: () => {
      watching ??= watchPods(connection, namespace, options.log);
      return watching;
    },
  };
  return {
    description: `a Kubernetes Job per step in ${namespace}, limits: pod`,
    ...{
      kind: "executor",
      method: "kubernetes",
      limits: "pod",
      outlived: true,
      imagesBy: "name",
      tools: image,
      toolsInside: podFolders.tools,
    },
    async run(step) {
      const named = step.run !== undefined;
      const job = { ...step, run: step.run ?? randomUUID(), image: step.image, limits: limitsOf(place, step) };
      try {
        return await runInPod(world, step, job);
      } finally {
        if (!named) await jobs.remove(job.run);
      }
    },
    release: (run) => jobs.remove(run),
    forget: (identity) => jobs.removeBuild(identity),
    async close() {
      await watching?.stop();
      await connection.close();
    },
  };
}

function limitsOf({ cpus, memoryMiB, diskMiB }: KubernetesPlace, { limits }: ExecutorStep): Limits {
  const own = { cpus, memoryBytes: memoryMiB * mebibyte, diskBytes: diskMiB * mebibyte };
  return { ...defaultLimits, ...own, ...limits };
}
