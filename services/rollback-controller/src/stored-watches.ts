import type { Counts, Judgement, WatchRequest, WatchView } from "@slipway/contracts";
import { noCounts } from "@slipway/contracts";
import type { Durable, DurableMachine, Row } from "@slipway/durable";
import { addMs, type DeploymentId } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import { judgementOf } from "./domain/looking.ts";
import { compareEpochs, type Watch, type WatchCommand, type WatchInput } from "./domain/watch.ts";
import { loadSnapshots, type StoredSnapshot, type Tables } from "./store.ts";
import type { Snapshot, Watcher } from "./watcher.ts";

export type StoredWatch = {
  readonly id: Watcher["id"];
  readonly spec: Watcher["spec"];
  readonly judgement: Watcher["judgement"];
  readonly failed: boolean;
  /** Regions in which shutting was confirmed. */
  readonly shut: Readonly<Record<string, unknown>>;
  readonly snapshot: Snapshot | undefined;
};

type Target = Pick<WatchRequest, "service" | "environment">;

/** Watches as rows and snapshots know them, whichever process has them. Rejects while the database is away. */
export type StoredWatches = {
  /** One that has not ended. */
  load(id: DeploymentId): Promise<StoredWatch | undefined>;
  specOf(id: DeploymentId): Promise<WatchRequest | undefined>;
  /** As its process saw it two seconds ago at most. */
  view(id: DeploymentId): Promise<WatchView | undefined>;
  /** Of all that have not ended. */
  views(): Promise<readonly WatchView[]>;
  /** What the process that has it had counted and found, two seconds ago at most. */
  lastSeen(id: DeploymentId): Promise<LastSeen>;
  /** The watches of versions that serve this target. */
  serving(target: Target): Promise<readonly Pick<StoredWatch, "id" | "spec">[]>;
};

export type LastSeen = {
  readonly totals: Readonly<Record<string, Counts>>;
  readonly judgement: Judgement | null;
};

type WatchMachine = DurableMachine<Watch, WatchInput, WatchCommand>;

const page = 500;

export function storedWatches(db: Db<Tables>, durable: Durable, machine: WatchMachine): StoredWatches {
  const snapshotOf = async (id: DeploymentId) => (await loadSnapshots(db, [id])).get(id);
  return {
    async load(id) {
      const state = (await durable.read(machine, id))?.state;
      if (state === undefined || state.phase === "ended") return undefined;
      const { spec, judgement } = state;
      const failed = state.phase === "failed";
      const shut = state.phase === "failed" ? state.shut : {};
      return { id, spec, judgement, failed, shut, snapshot: (await snapshotOf(id))?.snapshot };
    },
    specOf: async (id) => (await durable.read(machine, id))?.state.spec,
    async view(id) {
      const row = await durable.read(machine, id);
      return row === undefined ? undefined : viewOf(row, await snapshotOf(id));
    },
    async views() {
      const views: WatchView[] = [];
      for (let afterId = ""; ; ) {
        const rows = await durable.list(machine, { phases: ["watching", "failed"], limit: page, afterId });
        const snapshots = await loadSnapshots(
          db,
          rows.map(({ state }) => state.id),
        );
        views.push(...rows.map((row) => viewOf(row, snapshots.get(row.state.id))));
        afterId = rows.at(-1)?.id ?? "";
        if (rows.length < page) return views;
      }
    },
    async lastSeen(id) {
      const state = (await durable.read(machine, id))?.state;
      const stored = await snapshotOf(id);
      if (state === undefined || stored === undefined) return { totals: {}, judgement: null };
      const { looking, seen } = stored.snapshot;
      const isOwn = seen !== undefined && isOfGrant(stored, state.spec.epochs);
      return { totals: looking.totals, judgement: isOwn ? judgementOf(looking, state.spec, seen.at) : null };
    },
    async serving({ service, environment }) {
      const { rows } = await sql<Pick<StoredWatch, "id" | "spec">>`
        select id, state->'spec' as spec from machine
        where kind = 'watch' and phase in ('watching', 'failed') and state->'spec'->>'mode' in ('live', 'verified')
          and state->'spec'->>'service' = ${service} and state->'spec'->>'environment' = ${environment}`.execute(db);
      return rows;
    },
  };
}

/** Of a watch that another process has, or nobody any more. What was seen under an older grant says nothing of this one. */
function viewOf({ state, updatedAt }: Row<Watch>, stored: StoredSnapshot | undefined): WatchView {
  const { service, environment, version, mode, step, epochs } = state.spec;
  const about = { deployment_id: state.id, service, environment, version, mode, state: state.phase, step, epochs };
  const { judgement } = state;
  if (state.phase === "ended") return { ...about, judgement, regions: {}, last_look_at: judgement?.at ?? updatedAt };
  const seen = isOfGrant(stored, epochs) ? stored.snapshot.seen : undefined;
  const totals = seen === undefined ? {} : (stored?.snapshot.looking.totals ?? {});
  const regions = Object.keys(epochs).map((region): [string, WatchView["regions"][string]] => {
    const { served = null, lookedAt = null, shutAt = null } = seen?.regions[region] ?? {};
    const shut = state.phase === "failed" ? (state.shut[region] ?? shutAt) : shutAt;
    const counts = totals[region] ?? noCounts;
    return [region, { counts, served_weight: served, last_look_at: lookedAt, shut_at: shut }];
  });
  const looks = regions.map(([, { last_look_at }]) => last_look_at);
  return {
    ...about,
    judgement,
    regions: Object.fromEntries(regions),
    last_look_at: looks.includes(null) ? null : (looks.sort()[0] ?? null),
    // The clock of the process that looked, and how long ago it stored this: who looks no more is seen to be silent.
    ...(seen === undefined ? {} : { as_of: addMs(seen.at, stored?.ageMs ?? 0) }),
  };
}

function isOfGrant(stored: StoredSnapshot | undefined, epochs: WatchRequest["epochs"]): stored is StoredSnapshot {
  return stored !== undefined && compareEpochs(stored.snapshot.epochs ?? epochs, epochs) === "same";
}
