import type { ImportId } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { Tables } from "./tables.ts";

/** Longer than several renewals take; so late the place of a process that was killed is free. */
const placeMs = 15_000;
/** One that waits asks twice a second; one that has not for so long is with nobody who could copy it. */
const asksMs = 3_000;

/** What stands in the way of a place; places are given in the order of imports. */
export type PlaceTaken = { readonly taken: number; readonly ahead: number };

/** Takes one of so many places for the import, or says what stands in its way, as the row does then. */
export async function takePlace(db: Db<Tables>, id: ImportId, places: number): Promise<PlaceTaken | undefined> {
  return db.transaction().execute(async (tx) => {
    // Two that find the same place free would both take it.
    await sql`select pg_advisory_xact_lock(hashtextextended('places of imports', 0))`.execute(tx);
    const found = await before(tx, id);
    const free = found.taken + found.ahead < places;
    await sql`
      update image_import set waits = ${!free}, seen_at = clock_timestamp(),
        place_until = case when ${free} then clock_timestamp() + ${placeMs} * interval '1 ms' end
      where id = ${id}`.execute(tx);
    return free ? undefined : found;
  });
}

async function before(tx: Tx<Tables>, id: ImportId): Promise<PlaceTaken> {
  const { rows } = await sql<PlaceTaken>`
    select
      (select count(*) from image_import where place_until > clock_timestamp() and id <> ${id})::float8 as taken,
      (select count(*) from image_import join image_import own on own.id = ${id}
        where image_import.waits and image_import.number < own.number
          and image_import.seen_at > clock_timestamp() - ${asksMs} * interval '1 ms')::float8 as ahead`.execute(tx);
  const [found] = rows;
  if (found === undefined) throw new Error("a count gave nothing");
  return found;
}

/** Goes on having the place until the answer is called, which gives it back. */
export function keepPlace(db: Db<Tables>, id: ImportId, failed: (error: unknown) => void): () => Promise<void> {
  const update = async (ms: number) => {
    await sql`
      update image_import set seen_at = clock_timestamp(), place_until = clock_timestamp() + ${ms} * interval '1 ms'
      where id = ${id}`.execute(db);
  };
  const timer = setInterval(() => void update(placeMs).catch(failed), placeMs / 3);
  return async () => {
    clearInterval(timer);
    await update(0).catch(failed);
  };
}
