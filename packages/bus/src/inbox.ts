import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";

/**
 * Notes in the caller's transaction that the group has taken this event. True: for the first time, go on; false: its
 * effect is already committed. Writes to `inbox` of the service's own schema, so that effect and note commit together.
 */
export async function inboxOnce<T>(tx: Tx<T>, group: string, eventId: string): Promise<boolean> {
  const { numAffectedRows } = await sql`
    insert into inbox (consumer, event_id) values (${group}, ${eventId}) on conflict do nothing`.execute(tx);
  return numAffectedRows === 1n;
}

/**
 * The same for several events at once, which may hold one of them twice: the ids that come for the first time. Taken in the order of ids, so that two
 * who take the same ones do not wait for each other.
 */
export async function inboxOnceEach<T>(
  tx: Tx<T>,
  group: string,
  eventIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const ids = [...new Set(eventIds)].sort();
  const { rows } = await sql<{ event_id: string }>`
    insert into inbox (consumer, event_id) select ${group}, id from unnest(${ids}::text[]) as id
    on conflict do nothing returning event_id`.execute(tx);
  return new Set(rows.map((row) => row.event_id));
}

/** Whether the group has taken this event already: asked before what cannot be part of a transaction, and is not to be done for old news. */
export async function inboxHas<T>(db: Db<T>, group: string, eventId: string): Promise<boolean> {
  const { rows } = await sql`select from inbox where consumer = ${group} and event_id = ${eventId}`.execute(db);
  return rows.length > 0;
}
