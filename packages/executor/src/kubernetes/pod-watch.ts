import { type Connection, reflect } from "@slipway/cluster";
import type { ExecutorLogger } from "../executor.ts";
import { stepSelector } from "./manifests.ts";
import { type PodView, viewOfPod } from "./pod-view.ts";

/** The pods of all steps of a namespace, kept up to date by one watch. */
export type PodWatch = {
  /** The pod of a Job as it is now. */
  pod(jobUid: string): PodView | undefined;
  /** Resolves at the next change of anything, or at the end of the signal. */
  changed(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
};

export function watchPods(connection: Connection, namespace: string, log: ExecutorLogger): PodWatch {
  const pods = new Map<string, PodView>();
  const waiting = new Set<() => void>();
  const tell = (): void => {
    for (const wake of waiting) wake();
  };
  const take = (object: unknown): void => {
    const view = viewOfPod(object);
    if (view !== undefined) pods.set(view.job, view);
  };
  const subscription = reflect({
    ...{ connection, log, random: Math.random },
    path: `/api/v1/namespaces/${namespace}/pods`,
    query: { labelSelector: stepSelector },
    backOff: { firstMs: 100, mostMs: 2_000 },
    onReplace: (items) => {
      pods.clear();
      for (const item of items) take(item);
      tell();
    },
    onChange: (type, object) => {
      const view = viewOfPod(object);
      if (type === "deleted" && view !== undefined && pods.get(view.job)?.name === view.name) pods.delete(view.job);
      else if (type === "upserted") take(object);
      tell();
    },
  });
  return {
    pod: (jobUid) => pods.get(jobUid),
    changed: (signal) =>
      new Promise((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener("abort", wake, { once: true });
        if (signal.aborted) wake();
      }),
    stop: () => subscription.stop(),
  };
}
