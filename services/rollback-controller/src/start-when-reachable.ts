import type { Durable } from "@slipway/durable";
import { type Db, dbNow, type Logger } from "@slipway/sql";

const pauseMs = 1_000;

/** Performs commands as soon as the database answers. Until then the watches look, judge and shut without it. */
export function startWhenReachable<T>(durable: Durable, db: Db<T>, log: Logger): { stop(): Promise<void> } {
  const end = new AbortController();
  const started = (async () => {
    while (!end.signal.aborted) {
      const reachable = await dbNow(db).then(
        () => true,
        (error: unknown) => {
          log.warn({ err: error }, "the database is away: nothing is performed until it answers");
          return false;
        },
      );
      if (reachable) return durable.start();
      await pause(end.signal);
    }
  })().catch((error: unknown) => log.error({ err: error }, "commands cannot be performed"));
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
