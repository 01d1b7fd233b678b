import type { Logger } from "@slipway/sql";

const pauseMs = 1_000;

/** Does the work as soon as it can be done: again and again until it succeeds. Until then the watches look, judge and shut without a database. */
export function startWhenReachable(work: () => Promise<void>, log: Logger): { stop(): Promise<void> } {
  const end = new AbortController();
  const started = (async () => {
    while (!end.signal.aborted) {
      try {
        return await work();
      } catch (error) {
        log.warn({ err: error }, "the database is away: nothing is performed until it answers");
        await pause(end.signal);
      }
    }
  })();
  return {
    async stop() {
      end.abort();
      await started;
    },
  };
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pauseMs);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
