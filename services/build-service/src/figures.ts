import type { Bus } from "@slipway/bus";
import { buildTopic } from "@slipway/contracts";
import { type Figure, shared, type Tally, tally } from "@slipway/host";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import type { Phase } from "./domain/state.ts";
import type { BuildTables } from "./tables.ts";

/** Phases of builds that have not ended. Those that have are many: they are counted as they end. */
const openPhases = ["queued", "checking_out", "running", "imaging", "registering"] as const satisfies readonly Phase[];

type Row = { readonly phase: string; readonly count: number; readonly oldest: number };

/** Builds that are under way, by one query over the index of phases for all of a scrape. */
export function buildFigures(db: Db<BuildTables>, places: number): readonly Figure[] {
  const look = shared(() => openBuilds(db));
  const about = { kind: "gauge", labels: ["phase"] } as const;
  const values = async (of: (row: Row) => number) =>
    (await look()).map((row) => ({ labels: { phase: row.phase }, value: of(row) }));
  return [
    {
      ...about,
      name: "slipway_builds",
      help: "Builds that have not ended; queued: they wait for a place",
      read: () => values(({ count }) => count),
    },
    {
      ...about,
      name: "slipway_builds_oldest_seconds",
      help: "Age of the oldest of them, from its push on",
      read: () => values(({ oldest }) => oldest),
    },
    {
      name: "slipway_build_places",
      help: "How many builds may run at once (SLIPWAY_MAX_BUILDS)",
      kind: "gauge",
      labels: [],
      read: () => [{ labels: {}, value: places }],
    },
  ];
}

async function openBuilds(db: Db<BuildTables>): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    select phase, count(*)::float8 as count,
      greatest(0, extract(epoch from clock_timestamp() - min(created_at)))::float8 as oldest
    from machine where kind = 'build' and phase = any(${[...openPhases]}::text[]) group by phase`.execute(db);
  return openPhases.map((phase) => rows.find((row) => row.phase === phase) ?? { phase, count: 0, oldest: 0 });
}

/** What became of builds, as it is told on the bus. */
export function toldBuilds(): Tally {
  return tally(
    {
      name: "slipway_build_events_total",
      help: "Events of builds that this process has published",
      labels: ["type"],
    },
    Object.keys(buildTopic.shapes).map((type) => ({ type })),
  );
}

export function countingBus(bus: Bus, told: Tally): Bus {
  return {
    ...bus,
    async publish(topic, events) {
      await bus.publish(topic, events);
      if (topic !== buildTopic.name) return;
      for (const { type } of events) told.add({ type: type.slice(buildTopic.prefix.length + 1) });
    },
  };
}
