import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@slipway/kernel";
import { createKubeClient } from "../kube/client.ts";
import { follow, type KubeObject } from "../kube/follow.ts";
import { readKubeconfig } from "../kube/kubeconfig.ts";
import { adoptContainer } from "./container.ts";
import { forgetImages } from "./forget-images.ts";
import { openImages } from "./images.ts";
import type { AgentContext } from "./live-pod.ts";
import { rotateLogs } from "./logs.ts";
import { memoryParent } from "./memory-group.ts";
import { mayMapUsers } from "./pod-account.ts";
import { type PodSpec, readPod } from "./pod-spec.ts";
import { type PodStatus, reportedStatus } from "./pod-status.ts";
import { type PodWorker, workOn } from "./pod-worker.ts";
import { type PodState, readStates, removePodFolder, writeState } from "./state-files.ts";
import type { Agent, AgentOptions } from "./types.ts";

const rotateEveryMs = 2_000;
const forgetEveryMs = 3_600_000;
const keepImagesMs = 7 * 24 * 3_600_000;

/** Runs the pods bound to one node until stopped. Pods that an earlier agent left are adopted with the first list. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { region, node, dir, log, clock = systemClock, random = Math.random } = options;
  await mkdir(join(dir, "pods"), { recursive: true, mode: 0o700 });
  const client = createKubeClient(await readKubeconfig(options.kubeconfig));
  const imagesDir = options.imagesDir ?? join(dir, "images");
  const images = openImages(imagesDir, options.registries ?? {});
  const context: AgentContext = {
    ...{ dir, region, client, images, log, clock, random },
    ports: new Set(),
    network: options.network ?? { kind: "host" },
    memory: memoryParent(),
    mapsUsers: await mayMapUsers(),
  };
  if (process.getuid?.() === 0 && !context.mapsUsers)
    log.warn({ region }, "this machine forbids user namespaces: pods do not see themselves as their image's USER");
  const left = new Map((await readStates(dir)).map((state) => [state.uid, state]));
  for (const { port } of left.values()) if (port !== null) context.ports.add(port);
  const workers = new Map<string, PodWorker>();
  const orphans = new Set<Promise<void>>();
  const following = follow({
    ...{ client, log, random },
    path: "/api/v1/pods",
    query: { fieldSelector: `spec.nodeName=${node}` },
    onChange: (objects) => {
      const wanted = podsOf(objects, node, context);
      reconcile(context, workers, left, wanted);
      // What is left now belonged to pods that were deleted while no agent ran.
      for (const state of left.values()) {
        const ending = endOrphan(context, state).finally(() => orphans.delete(ending));
        orphans.add(ending);
      }
      left.clear();
    },
  });
  const rotating = setInterval(() => void rotateLogs(dir, [...workers.keys()]), rotateEveryMs);
  rotating.unref();
  const unusedMs = options.keepImagesMs ?? keepImagesMs;
  const forget = () =>
    forgetImages({ client, imagesDir, unusedMs }).then(
      (removed) => removed.length > 0 && log.info({ region, removed }, "images that nobody used any more were removed"),
      (error: unknown) => log.warn({ region, err: error }, "no image was forgotten"),
    );
  const forgetting = setInterval(() => void forget(), forgetEveryMs).unref();
  return {
    async stop({ leavePods }) {
      clearInterval(rotating);
      clearInterval(forgetting);
      await following.stop();
      for (const worker of workers.values()) worker.end(leavePods ? "leave" : "shutdown");
      // Stopped before the API had answered once: what an earlier agent left is still nobody's.
      if (!leavePods) await Promise.all([...left.values()].map((state) => stopLeft(context, state)));
      await Promise.all([...workers.values()].map((worker) => worker.done));
      await Promise.all(orphans);
      await images.close();
      client.close();
    },
  };
}

type Wanted = { readonly pod: PodSpec; readonly reported: PodStatus | null };

function podsOf(objects: ReadonlyMap<string, KubeObject>, node: string, { log }: AgentContext): Map<string, Wanted> {
  const pods = new Map<string, Wanted>();
  for (const object of objects.values()) {
    try {
      const pod = readPod(object);
      if (pod.nodeName === node) pods.set(pod.uid, { pod, reported: reportedStatus(object) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log.error({ pod: object.metadata.name, message }, "pod cannot be read");
    }
  }
  return pods;
}

function reconcile(
  context: AgentContext,
  workers: Map<string, PodWorker>,
  left: Map<string, PodState>,
  wanted: ReadonlyMap<string, Wanted>,
): void {
  for (const [uid, { pod, reported }] of wanted) {
    const known = workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      continue;
    }
    const worker = workOn(context, pod, left.get(uid), reported);
    left.delete(uid);
    workers.set(uid, worker);
    void worker.done.then(() => workers.delete(uid));
  }
  for (const [uid, worker] of workers) if (!wanted.has(uid)) worker.end("gone");
}

async function endOrphan(context: AgentContext, state: PodState): Promise<void> {
  await stopLeft(context, state);
  if (state.port !== null) context.ports.delete(state.port);
  await removePodFolder(context.dir, state.uid);
  context.log.info({ pod: state.name }, "stopped a pod that was deleted while no agent ran");
}

async function stopLeft({ dir }: AgentContext, state: PodState): Promise<void> {
  const running = state.process === null ? undefined : await adoptContainer(dir, state.uid, state.process);
  await running?.terminate(state.graceMs);
  await writeState(dir, { ...state, process: null, failures: 0 });
}
