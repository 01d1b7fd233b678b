import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { PodPlace } from "./pod-place.ts";
import type { Probe } from "./pod-spec.ts";

export type ProbeRun = {
  readonly probe: Probe;
  readonly place: PodPlace;
  /** Ask often while the container is not ready: a deployment waits for the first answer. */
  readonly eager: boolean;
  readonly signal: AbortSignal;
  /** Called when the answer changes for good: after `successThreshold` or `failureThreshold` in a row. */
  onChange(passing: boolean, message: string): void;
  /** Called at each failure, whatever comes of it. */
  onFailure?(message: string): void;
};

export const eagerPeriodMs = 200;
/** An answer that changed is asked for again soon, however seldom it is asked for otherwise. */
const doubtPeriodMs = 1_000;

/** Probes one container until the signal fires. */
export async function runProbe(run: ProbeRun): Promise<void> {
  const { probe, place, signal } = run;
  const answers = new Answers(run);
  await pause(probe.initialDelayMs, undefined, { signal, ref: false }).catch(() => undefined);
  while (!signal.aborted) {
    const failure = await probeOnce(probe, place, signal);
    if (signal.aborted) return;
    await pause(answers.take(failure), undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** What the answers so far mean. */
class Answers {
  readonly #run: ProbeRun;
  #passing: boolean | undefined;
  #inRow = { ok: true, count: 0 };

  constructor(run: ProbeRun) {
    this.#run = run;
  }

  /** Takes one answer; gives how long to wait for the next. */
  take(failure: string | undefined): number {
    const { probe, eager, onChange, onFailure } = this.#run;
    const ok = failure === undefined;
    if (!ok) onFailure?.(failure);
    this.#inRow = { ok, count: this.#inRow.ok === ok ? this.#inRow.count + 1 : 1 };
    const needed = ok ? probe.successThreshold : probe.failureThreshold;
    if (this.#inRow.count >= needed && this.#passing !== ok) {
      this.#passing = ok;
      onChange(ok, failure ?? "");
    }
    if (eager && this.#passing !== true) return Math.min(eagerPeriodMs, probe.periodMs);
    return this.#passing === ok ? probe.periodMs : Math.min(doubtPeriodMs, probe.periodMs);
  }
}

/** Undefined when the container answers as it should, else what was wrong. */
function probeOnce(probe: Probe, place: PodPlace, signal: AbortSignal): Promise<string | undefined> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(probe.timeoutMs)]);
  return probe.check.kind === "tcp" ? probeTcp(place, deadline) : probeHttp(probe.check, place, deadline);
}

function probeHttp(
  { path, headers }: { path: string; headers: Record<string, string> },
  { host, port }: PodPlace,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const target = { host, port, path: path.startsWith("/") ? path : `/${path}`, agent: false, signal };
    const failed = (error: Error) => resolve(`Get http://${host}:${port}${target.path}: ${error.message}`);
    try {
      const asking = request({ ...target, headers: { "user-agent": "kube-probe/slipway", ...headers } }, (answer) => {
        answer.on("error", () => undefined).resume();
        const status = answer.statusCode ?? 0;
        resolve(status >= 200 && status < 400 ? undefined : `HTTP probe failed with statuscode: ${status}`);
      });
      asking.on("error", failed).end();
    } catch (error) {
      failed(error as Error);
    }
  });
}

function probeTcp({ host, port }: PodPlace, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (failure: string | undefined) => {
      socket.destroy();
      resolve(failure);
    };
    signal.addEventListener("abort", () => end("no connection in time"), { once: true });
    socket.once("connect", () => end(undefined)).once("error", (error) => end(error.message));
  });
}
