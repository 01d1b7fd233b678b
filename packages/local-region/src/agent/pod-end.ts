import { setTimeout as pause } from "node:timers/promises";
import { KubeError } from "../kube/client.ts";
import type { RunningContainer } from "./container.ts";
import { type Ending, type LivePod, note, save } from "./live-pod.ts";
import type { MemoryGroup } from "./memory-group.ts";
import { podPath } from "./reporter.ts";
import { removePodFolder } from "./state-files.ts";

/** A running container and what holds its memory; an adopted one is in a group that the agent no longer watches. */
export type Held = { readonly running: RunningContainer; readonly group: MemoryGroup | undefined };

/** Between leaving the routes and SIGTERM: requests already on their way must still meet a listener. */
const drainMs = 750;

/** What is left to do for a pod once its worker ends, by why it ends. */
export async function finish(live: LivePod, held: Held | undefined): Promise<void> {
  const { context, pod, state } = live;
  const why = live.ending.reason as Ending;
  if (why === "leave") {
    live.reporter.stop();
    return;
  }
  if (held !== undefined) {
    note(live, { ready: false, notReady: "the pod is being stopped" });
    await Promise.race([held.running.exited, pause(Math.min(drainMs, pod.graceMs / 4))]);
    await held.running.terminate(pod.graceMs);
    held.group?.remove();
  }
  if (state.port !== null) context.ports.delete(state.port);
  if (why === "shutdown") {
    await save(live, { process: null, failures: 0 });
    await live.reporter.flush(1_000);
    live.reporter.stop();
    return;
  }
  live.reporter.stop();
  await removePodFolder(context.dir, pod.uid);
  if (why === "delete") await removeObject(live);
  context.log.info({ pod: pod.name }, "pod ended");
}

/** Tells the API that nothing of the pod is left. A pod that is gone already, or made anew, is none of ours. */
async function removeObject({ context, pod }: LivePod): Promise<void> {
  const body = { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0, preconditions: { uid: pod.uid } };
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      await context.client.call("DELETE", podPath(pod), { body });
      return;
    } catch (error) {
      if (error instanceof KubeError && (error.status === 404 || error.status === 409)) return;
      await pause(250);
    }
  }
  context.log.warn({ pod: pod.name }, "the API did not take the end of a pod");
}
