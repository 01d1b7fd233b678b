import type { RunningContainer } from "./container.ts";
import { type LivePod, note } from "./live-pod.ts";
import type { PodPlace } from "./pod-place.ts";
import { eagerPeriodMs, runProbe } from "./probe.ts";

/** The startup probe until it passes, then the other two, until the signal fires. */
export async function runProbes(
  live: LivePod,
  running: RunningContainer,
  place: PodPlace,
  signal: AbortSignal,
): Promise<void> {
  await untilStarted(live, running, place, signal);
  if (signal.aborted) return;
  const { readiness, liveness } = live.pod;
  const probing: Promise<void>[] = [];
  if (readiness === null) note(live, { ready: true });
  else {
    const onChange = (ready: boolean, notReady: string): void => note(live, { ready, notReady });
    probing.push(runProbe({ probe: readiness, place, eager: true, signal, onChange, onFailure: whyNot(live) }));
  }
  if (liveness !== null) {
    const onChange = (alive: boolean, message: string): void => {
      if (!alive) restart(live, running, `liveness probe failed: ${message}`);
    };
    probing.push(runProbe({ probe: liveness, place, eager: false, signal, onChange }));
  }
  await Promise.all(probing);
}

/** Ends with the container, too, which is stopped when it does not start in time. */
async function untilStarted(
  live: LivePod,
  running: RunningContainer,
  place: PodPlace,
  signal: AbortSignal,
): Promise<void> {
  const { startup } = live.pod;
  if (startup === null) return;
  const ended = new AbortController();
  // Asking more often than was wanted does not make it give up earlier.
  const failureThreshold = startup.failureThreshold * Math.max(1, Math.round(startup.periodMs / eagerPeriodMs));
  await runProbe({
    ...{ probe: { ...startup, failureThreshold }, place, eager: true, signal: AbortSignal.any([signal, ended.signal]) },
    onFailure: whyNot(live),
    onChange(started, message) {
      if (started) ended.abort();
      else restart(live, running, `startup probe failed: ${message}`);
    },
  });
}

/** While it is not ready its status says what is wrong now, not what was wrong at first. */
function whyNot(live: LivePod): (notReady: string) => void {
  return (notReady) => {
    if (!live.runtime.ready) note(live, { notReady });
  };
}

function restart({ pod, context }: LivePod, running: RunningContainer, message: string): void {
  context.log.warn({ pod: pod.name, message }, "container is restarted");
  void running.terminate(pod.graceMs);
}
