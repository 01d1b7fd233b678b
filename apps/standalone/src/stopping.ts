import type { Logger } from "@slipway/sql";

/** Somebody asked the platform to stop while it was doing something. */
export class StopRequested extends Error {
  constructor() {
    super("asked to stop");
    this.name = "StopRequested";
  }
}

const parentLookMs = 1_000;
const lingerMs = 3_000;
/** Of when this was loaded: by the time somebody waits for its end it may be gone. */
const parent = process.ppid;

/** A signal to a whole process group comes twice: from the kernel, and handed on by the parent. That is one wish, not impatience. */
const oneWishMs = 2_000;

/**
 * Signals, and the death of the parent (npm's shell dies without passing SIGTERM on), as one abort signal. A second Ctrl-C, not at once, ends the
 * process at once: what lives on is adopted or stopped by the next start.
 */
export function untilStopped(): { readonly signal: AbortSignal; readonly stopped: Promise<void> } {
  const controller = new AbortController();
  let firstAt = 0;
  const stop = () => {
    if (controller.signal.aborted && performance.now() - firstAt > oneWishMs) process.exit(130);
    if (controller.signal.aborted) return;
    firstAt = performance.now();
    controller.abort(new StopRequested());
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, stop);
  const timer = setInterval(() => {
    if (process.ppid !== parent && !controller.signal.aborted) stop();
  }, parentLookMs);
  timer.unref();
  const stopped = new Promise<void>((resolve) => controller.signal.addEventListener("abort", () => resolve()));
  return { signal: controller.signal, stopped };
}

/**
 * To be called once everything has stopped: nothing keeps the process then, and it ends by itself before this timer, which keeps nobody. Whatever does
 * keep it (a library's socket or timer) is told, and ended with it: who waits for the end of `npm start` must not wait for ever.
 */
export function endAllTheSame(log: Logger): void {
  setTimeout(() => {
    log.error({ open: process.getActiveResourcesInfo() }, "everything has stopped, and something keeps the process");
    process.exit();
  }, lingerMs).unref();
}
