import { randomUUID } from "node:crypto";
import { type Connection, connect, RegionUnavailable } from "@slipway/cluster";
import type { Executor, ExecutorLogger, ExecutorStep } from "../executor.ts";
import { defaultLimits } from "../limits.ts";
import type { IsolationRefused, Limits } from "../types.ts";
import { podFolders, stepPort } from "./channel.ts";
import { checkPlace } from "./check-place.ts";
import { type Jobs, openJobs } from "./jobs.ts";
import { type KubernetesPlace, placeOfBuilder } from "./place.ts";
import { type PodWatch, watchPods } from "./pod-watch.ts";
import { type PodWorld, runInPod } from "./run-in-pod.ts";

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
  const { namespace, image, builder } = place;
  const steps = openRoom(connection, place, options);
  const builds = builder === undefined ? undefined : openRoom(connection, placeOfBuilder(place, builder), options);
  const rooms = builds === undefined ? [steps] : [steps, builds];
  const everywhere = async (act: (jobs: Jobs) => Promise<void>): Promise<void> => {
    await Promise.all(rooms.map(({ world }) => act(world.jobs)));
  };
  const dockerfiles = builder === undefined ? "" : `, Dockerfiles in ${builder.namespace}`;
  return {
    description: `a Kubernetes Job per step in ${namespace}${dockerfiles}, limits: pod`,
    ...{
      kind: "executor",
      method: "kubernetes",
      limits: "pod",
      outlived: true,
      imagesBy: "name",
      tools: image,
      builder:
        builder === undefined
          ? undefined
          : { image: builder.image, folder: podFolders.buildkit, cache: podFolders.cache },
      toolsInside: podFolders.tools,
    },
    async run(step) {
      const { builds: isBuild = false } = step;
      const room = isBuild ? builds : steps;
      if (room === undefined) throw new Error("no Dockerfile is built here");
      const about = { run: step.run ?? randomUUID(), image: isBuild ? builder?.image : step.image, builds: isBuild };
      const job = { ...step, ...about, limits: limitsOf(place, step) };
      try {
        return await runInPod(room.world, step, job);
      } finally {
        if (step.run === undefined) await room.world.jobs.remove(job.run);
      }
    },
    release: (run) => everywhere((jobs) => jobs.remove(run)),
    forget: (identity) => everywhere((jobs) => jobs.removeBuild(identity)),
    async close() {
      for (const room of rooms) await room.stop();
      await connection.close();
    },
  };
}

type Room = { readonly world: PodWorld; stop(): Promise<void> };

/** One namespace with its Jobs, whose pods are watched from the first that is asked for. */
function openRoom(connection: Connection, place: KubernetesPlace, options: KubernetesExecutorOptions): Room {
  let watching: PodWatch | undefined;
  return {
    world: {
      ...{ jobs: openJobs(connection, place), secret: options.secret, port: options.port ?? stepPort },
      ...{ log: options.log, namespace: place.namespace, startWithinMs: place.startSeconds * 1_000 },
      pods: () => {
        watching ??= watchPods(connection, place.namespace, options.log);
        return watching;
      },
    },
    stop: async () => watching?.stop(),
  };
}

/** What a step counts as one, BuildKit's RUN lines count together, with BuildKit's own threads. */
const buildProcesses = 4_096;

function limitsOf({ cpus, memoryMiB, diskMiB }: KubernetesPlace, { limits, builds }: ExecutorStep): Limits {
  const own = { cpus, memoryBytes: memoryMiB * mebibyte, diskBytes: diskMiB * mebibyte };
  return { ...defaultLimits, ...own, ...(builds === true ? { processes: buildProcesses } : {}), ...limits };
}
