import type { DeploymentId, Instant } from "@slipway/kernel";
import { type Db, forgetRows } from "@slipway/sql";
import { type Generated, sql } from "kysely";
import type { StoredLook } from "./unstored-looks.ts";
import type { Snapshot, Watcher } from "./watcher.ts";

/** The tables of schema `rollback` that this service reads and writes itself; `keeper` has a file of its own. */
export type Tables = {
  snapshot: { watch_id: string; at: Instant; content: string };
  look: { watch_id: string; batch: Generated<number>; at: Instant; looks: string };
};

/**
 * Stores what a watcher learned since the last time, if anything: its snapshot and its looks, in one statement, and only while the watch is this
 * process's. Answers whether it is.
 */
export async function saveWatcher(db: Db<Tables>, watcher: Watcher, holder: string): Promise<boolean> {
  if (!watcher.unsaved) return true;
  const content = encode(watcher.snapshot());
  const looks = watcher.takeLooks();
  const stored = sql`
    with mine as (select watch_id from keeper where watch_id = ${watcher.id} and holder = ${holder} for share),
    looked as (insert into look (watch_id, at, looks)
      select watch_id, clock_timestamp(), ${encode(looks)} from mine where ${looks.length > 0})
    insert into snapshot (watch_id, at, content) select watch_id, clock_timestamp(), ${content} from mine
    on conflict (watch_id) do update set at = excluded.at, content = excluded.content returning watch_id`.execute(db);
  const { rows } = await stored.catch((error: unknown) => {
    watcher.giveBackLooks(looks);
    throw error;
  });
  if (rows.length === 0) watcher.giveBackLooks(looks);
  return rows.length > 0;
}

/** Forgets the looks and the snapshot of watches that ended so long ago. What a watch still works with stays, whatever its age. */
export async function forgetEnded(db: Db<Tables>, olderThanMs: number): Promise<void> {
  const where = sql<boolean>`not exists (
    select from machine m where m.kind = 'watch' and m.id = watch_id and (m.phase <> 'ended'
      or m.updated_at >= statement_timestamp() - ${olderThanMs}::bigint * interval '1 ms'))`;
  await forgetRows(db, { table: "look", at: "at", olderThanMs, where });
  await forgetRows(db, { table: "snapshot", at: "at", olderThanMs, where });
  await sql`
    delete from keeper where kept_until < clock_timestamp() - interval '1 hour' and not exists (
      select from machine m where m.kind = 'watch' and m.id = watch_id and m.phase <> 'ended')`.execute(db);
}

/** All looks that a watch has stored, oldest first. */
export async function loadLooks(db: Db<Tables>, id: DeploymentId): Promise<readonly StoredLook[]> {
  const rows = await db.selectFrom("look").select("looks").where("watch_id", "=", id).orderBy("batch").execute();
  return rows.flatMap((row) => decode(row.looks) as StoredLook[]);
}

export async function loadSnapshot(db: Db<Tables>, id: DeploymentId): Promise<Snapshot | undefined> {
  const row = await db.selectFrom("snapshot").select("content").where("watch_id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : (decode(row.content) as Snapshot);
}

export type StoredSnapshot = {
  readonly snapshot: Snapshot;
  /** How long ago it was stored, by the clock of the database. */
  readonly ageMs: number;
};

export async function loadSnapshots(
  db: Db<Tables>,
  ids: readonly DeploymentId[],
): Promise<ReadonlyMap<DeploymentId, StoredSnapshot>> {
  const { rows } = await sql<{ watch_id: DeploymentId; content: string; ageMs: number }>`
    select watch_id, content, (extract(epoch from clock_timestamp() - at) * 1000)::float8 as "ageMs"
    from snapshot where watch_id = any(${[...ids]}::text[])`.execute(db);
  return new Map(
    rows.map(({ watch_id, content, ageMs }) => [watch_id, { snapshot: decode(content) as Snapshot, ageMs }]),
  );
}

const infinity = "\u221e";

/** JSON that keeps the infinite bound of a histogram. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part === Number.POSITIVE_INFINITY ? infinity : part));
}

export function decode(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) => (part === infinity ? Number.POSITIVE_INFINITY : part));
}
