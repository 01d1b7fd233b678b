import { within } from "@slipway/kernel";
import { sql } from "kysely";
import { Gauge } from "prom-client";
import { shared } from "./figures.ts";
import type { Meters } from "./meters.ts";
import type { StartedModule } from "./start-module.ts";

type Waiting = {
  readonly due: number;
  readonly oldest: number;
  readonly repeated: number;
  readonly untold: number;
  readonly longestUntold: number;
};

/** After so many attempts a command is one that does not succeed by itself. */
const manyAttempts = 5;
/** A scrape is not held up by a database that hangs: the gauges are missing then. */
const withinMs = 1_500;

/**
 * What each service has before it, asked of its schema at each scrape: the table of commands is short, since a row is there only until it is
 * done. All replicas of a service say the same.
 */
export function measureWork({ registry }: Meters, modules: () => readonly StartedModule[]): void {
  const look = shared(() => waitingOf(modules()));
  const gauge = (name: string, help: string, of: (waiting: Waiting) => number) =>
    new Gauge({
      ...{ name, help, labelNames: ["service"] as const, registers: [registry] },
      async collect() {
        const found = await look();
        this.reset();
        for (const [service, waiting] of found) this.set({ service }, of(waiting));
      },
    });
  gauge("slipway_commands_due", "Commands that could be performed now and that nobody performs yet", ({ due }) => due);
  gauge("slipway_commands_oldest_due_seconds", "How long the oldest of them has been due", ({ oldest }) => oldest);
  gauge(
    "slipway_commands_repeated",
    `Commands that have been tried more than ${manyAttempts} times`,
    ({ repeated }) => repeated,
  );
  gauge("slipway_events_unpublished", "Events that the bus does not have yet", ({ untold }) => untold);
  gauge(
    "slipway_events_oldest_unpublished_seconds",
    "How long the oldest of them has waited for the bus",
    ({ longestUntold }) => longestUntold,
  );
}

async function waitingOf(modules: readonly StartedModule[]): Promise<ReadonlyMap<string, Waiting>> {
  const found = new Map<string, Waiting>();
  await Promise.all(
    modules.map(async ({ name, db }) => {
      const waiting = await waitingIn(db).catch(() => undefined);
      if (waiting !== undefined) found.set(name, waiting);
    }),
  );
  return found;
}

async function waitingIn(db: StartedModule["db"]): Promise<Waiting | undefined> {
  const asked = sql<Waiting>`
    select count(*) filter (where due)::float8 as due,
      coalesce(extract(epoch from clock_timestamp() - min(run_after) filter (where due)), 0)::float8 as oldest,
      count(*) filter (where attempts > ${manyAttempts})::float8 as repeated,
      count(*) filter (where event)::float8 as untold,
      coalesce(extract(epoch from clock_timestamp() - min(created_at) filter (where event)), 0)::float8 as "longestUntold"
    from (select run_after, attempts, created_at, lower(payload ->> 'type') = 'publish' as event, run_after <= clock_timestamp()
      and (leased_until is null or leased_until <= clock_timestamp()) as due from command) c`.execute(db);
  return within(
    withinMs,
    asked.then(({ rows }) => rows[0]),
    () => undefined,
  );
}
