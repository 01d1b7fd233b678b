import { setTimeout as pause } from "node:timers/promises";
import { type KubeClient, KubeError, mergePatch } from "../kube/client.ts";
import type { PodSpec } from "./pod-spec.ts";
import type { PodStatus } from "./pod-status.ts";
import type { Logger } from "./types.ts";

export type PodReport = { readonly annotations: Readonly<Record<string, string>>; readonly status: PodStatus };

export type Reporter = {
  /** Newest wins; what lies in between may never be written. */
  report(report: PodReport): void;
  /** Resolves when all is written, or the time is over. */
  flush(deadlineMs: number): Promise<void>;
  stop(): void;
};

const retryMs = 250;

/** Writes one pod's status to the API, again and again until it took it or the pod is gone. */
export function createReporter(client: KubeClient, pod: PodSpec, log: Logger): Reporter {
  const stopping = new AbortController();
  let pending: PodReport | undefined;
  let writing: Promise<void> | undefined;
  let written = "";

  const write = async ({ annotations, status }: PodReport): Promise<void> => {
    const metadata = { uid: pod.uid };
    const noted = JSON.stringify(annotations);
    if (noted !== written) {
      await client.call("PATCH", podPath(pod), {
        body: { metadata: { ...metadata, annotations } },
        contentType: mergePatch,
      });
      written = noted;
    }
    await client.call("PATCH", `${podPath(pod)}/status`, { body: { metadata, status }, contentType: mergePatch });
  };
  /** False when it must be tried again. A pod that is gone needs no status. */
  const tryWrite = async (report: PodReport): Promise<boolean> => {
    try {
      await write(report);
      return true;
    } catch (error) {
      if (error instanceof KubeError && (error.status === 404 || error.status === 409)) return true;
      log.debug({ pod: pod.name, message: (error as Error).message }, "pod status was not taken");
      return false;
    }
  };
  const drain = async (): Promise<void> => {
    while (pending !== undefined && !stopping.signal.aborted) {
      const report = pending;
      if (!(await tryWrite(report))) {
        await pause(retryMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      } else if (pending === report) pending = undefined;
    }
  };
  return {
    report(report) {
      pending = report;
      writing ??= drain().finally(() => {
        writing = undefined;
      });
    },
    async flush(deadlineMs) {
      const timer = new AbortController();
      await Promise.race([writing, pause(deadlineMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
      timer.abort();
    },
    stop: () => stopping.abort(),
  };
}

export function podPath({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
}
