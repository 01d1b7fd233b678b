import type { DeploymentId, Instant } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { type Generated, sql } from "kysely";
import type { Snapshot, StoredLook, Watcher } from "./watcher.ts";

/** The tables of schema `rollback` that this service reads and writes itself. */
export type Tables = {
  snapshot: { watch_id: string; at: Instant; content: string };
  look: { watch_id: string; batch: Generated<number>; at: Instant; looks: string };
};

/** Stores what a watcher learned since the last time, if anything: its snapshot and its looks, in one transaction. */
export async function saveWatcher(db: Db<Tables>, watcher: Watcher, at: Instant): Promise<void> {
  if (!watcher.unsaved) return;
  const content = encode(watcher.snapshot());
  const looks = watcher.takeLooks();
  const stored = db.transaction().execute(async (tx) => {
    await tx
      .insertInto("snapshot")
      .values({ watch_id: watcher.id, at, content })
      .onConflict((conflict) => conflict.column("watch_id").doUpdateSet({ at, content }))
      .execute();
    if (looks.length > 0)
      await tx
        .insertInto("look")
        .values({ watch_id: watcher.id, at, looks: encode(looks) })
        .execute();
  });
  await stored.catch((error: unknown) => {
    watcher.giveBackLooks(looks);
    throw error;
  });
}

/** Forgets the looks and the snapshot of watches that ended so long ago. What a watch still works with stays, whatever its age. */
export async function forgetEnded(db: Db<Tables>, olderThanMs: number): Promise<void> {
  const ended = sql<boolean>`not exists (
    select from machine m where m.id = watch_id and (m.phase <> 'ended'
      or m.updated_at >= clock_timestamp() - ${olderThanMs}::bigint * interval '1 ms'))
    and at < clock_timestamp() - ${olderThanMs}::bigint * interval '1 ms'`;
  await db.deleteFrom("look").where(ended).execute();
  await db.deleteFrom("snapshot").where(ended).execute();
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

const infinity = "\u221e";

/** JSON that keeps the infinite bound of a histogram. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part === Number.POSITIVE_INFINITY ? infinity : part));
}

export function decode(text: string): unknown {
  return JSON.parse(text, (_key, part: unknown) => (part === infinity ? Number.POSITIVE_INFINITY : part));
}
