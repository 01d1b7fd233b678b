import { type Db, forgetRows, type Logger } from "@slipway/sql";
import type { StartedModule } from "./start-module.ts";

export type Retention = {
  /** How long events stay in the log after everybody has read them. */
  readonly keepEventsMs: number;
};

const firstAfterMs = 60_000;
const everyMs = 3_600_000;
const eventsAtATime = 5_000;

/**
 * Forgets what was kept long enough, each hour: answers of idempotency keys, events that everybody has read, the inbox's memory of them, and what each
 * service says of its own. Every part repeats harmlessly and may run in several processes at once; one that fails is logged and comes again.
 */
export function keepSweeping(modules: readonly StartedModule[], retention: Retention, log: Logger): { stop(): void } {
  const run = () => void sweepAll(modules, retention, log);
  const first = setTimeout(run, firstAfterMs).unref();
  const regular = setInterval(run, everyMs).unref();
  return {
    stop() {
      clearTimeout(first);
      clearInterval(regular);
    },
  };
}

export async function sweepAll(modules: readonly StartedModule[], retention: Retention, log: Logger): Promise<void> {
  for (const { name, db, bus, idempotency, running } of modules) {
    const parts: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["answers", () => idempotency.sweep()],
      ["events", () => forgetEvents(bus, retention)],
      ["inbox", () => forgetInbox(db, retention)],
      ["its own", async () => running.sweep?.()],
    ];
    for (const [what, sweep] of parts) {
      await sweep().catch((error: unknown) => log.warn({ err: error, service: name, what }, "nothing was swept"));
    }
  }
}

async function forgetEvents(bus: StartedModule["bus"], { keepEventsMs }: Retention): Promise<void> {
  let forgotten = eventsAtATime;
  while (forgotten >= eventsAtATime) forgotten = await bus.forget(keepEventsMs, eventsAtATime);
}

/** Twice as long as the events: none of them can come a second time once it is gone from the log. */
async function forgetInbox(db: Db<unknown>, { keepEventsMs }: Retention): Promise<void> {
  await forgetRows(db, { table: "inbox", at: "received_at", olderThanMs: 2 * keepEventsMs });
}
