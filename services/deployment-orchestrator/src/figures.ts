import type { Bus } from "@slipway/bus";
import { deploymentTopic, parseEvent } from "@slipway/contracts";
import { type Figure, shared, type Tally, tally } from "@slipway/host";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import type { Phase } from "./domain/deployment.ts";
import type { Tables } from "./store.ts";

/** Phases of deployments that have not ended. Those that have are many: they are counted as they end. */
const openPhases = [
  ...(["accepted", "queued", "opening", "preparing", "awaiting_approval", "raising", "baking", "held"] as const),
  ...(["finishing", "watching", "restoring"] as const),
] satisfies readonly Phase[];

type Row = { readonly environment: string; readonly phase: string; readonly count: number; readonly oldest: number };

/** Deployments that are under way, by one query over the index of phases for all of a scrape. */
export function deploymentFigures(db: Db<Tables>, environments: readonly string[]): readonly Figure[] {
  const look = shared(() => openDeployments(db, environments));
  const about = { kind: "gauge", labels: ["environment", "phase"] } as const;
  const values = async (of: (row: Row) => number) =>
    (await look()).map((row) => ({ labels: { environment: row.environment, phase: row.phase }, value: of(row) }));
  return [
    {
      ...about,
      name: "slipway_deployments",
      help: "Deployments that have not ended; watching: at 100% and not verified",
      read: () => values(({ count }) => count),
    },
    {
      ...about,
      name: "slipway_deployments_oldest_seconds",
      help: "How long the one that has been longest in this phase has been there; not of those that are watched at 100%",
      read: async () => (await values(({ oldest }) => oldest)).filter(({ labels }) => labels.phase !== "watching"),
    },
  ];
}

async function openDeployments(db: Db<Tables>, environments: readonly string[]): Promise<readonly Row[]> {
  // States of watched deployments are large and many: theirs are not opened.
  const { rows } = await sql<Row>`
    select d.environment, m.phase, count(*)::float8 as count,
      coalesce(max(case when m.phase <> 'watching' then greatest(0, extract(epoch from
        clock_timestamp() - coalesce((m.state ->> 'since')::timestamptz, d.created_at))) end), 0)::float8 as oldest
    from machine m join deployment d on d.id = m.id
    where m.kind = 'deployment' and m.phase = any(${[...openPhases]}::text[])
    group by d.environment, m.phase`.execute(db);
  const none = environments.flatMap((environment) =>
    openPhases
      .filter((phase) => !rows.some((row) => row.environment === environment && row.phase === phase))
      .map((phase): Row => ({ environment, phase, count: 0, oldest: 0 })),
  );
  return [...rows, ...none];
}

/** What became of deployments, as it is told on the bus: `rolled_back` among it. */
export function toldDeployments(environments: readonly string[]): Tally {
  const types = Object.keys(deploymentTopic.shapes);
  return tally(
    {
      name: "slipway_deployment_events_total",
      help: "Events of deployments that this process has published",
      labels: ["environment", "type"],
    },
    environments.flatMap((environment) => types.map((type) => ({ environment, type }))),
  );
}

export function countingBus(bus: Bus, told: Tally): Bus {
  return {
    ...bus,
    async publish(topic, events) {
      await bus.publish(topic, events);
      for (const event of events) {
        const parsed = parseEvent(deploymentTopic, event);
        if (parsed === undefined) continue;
        const type = parsed.type.slice(deploymentTopic.prefix.length + 1);
        told.add({ environment: parsed.data.environment, type });
      }
    },
  };
}
