import type { ImportId, Instant, ServiceName } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { Tables } from "./tables.ts";

type On = Db<Tables> | Tx<Tables>;

export type ImportRow = {
  readonly number: number;
  readonly id: ImportId;
  readonly bytesTotal: number | null;
  readonly bytesCopied: number;
  /** For a place among those that are copied. */
  readonly waits: boolean;
  /** When a process that could copy it last had it in hand. */
  readonly seenAt: Instant | null;
};

const columns = [
  ...(["number", "id", "bytes_total as bytesTotal", "bytes_copied as bytesCopied"] as const),
  ...(["waits", "seen_at as seenAt"] as const),
] as const;

/** Takes the next number; numbers may have gaps. */
export async function nextImport(tx: Tx<Tables>): Promise<{ number: number; id: ImportId }> {
  const { rows } = await sql<{ number: number }>`select nextval('import_number') as number`.execute(tx);
  const row = rows[0];
  if (row === undefined) throw new Error("a sequence gave no number");
  return { number: row.number, id: `I-${row.number}` as ImportId };
}

export async function insertImport(
  tx: Tx<Tables>,
  row: { readonly number: number; readonly id: ImportId; readonly service: ServiceName; readonly image: string },
  createdAt: Instant,
): Promise<void> {
  await tx
    .insertInto("image_import")
    .values({ ...row, created_at: createdAt })
    .execute();
}

export function findImport(db: On, id: ImportId): Promise<ImportRow | undefined> {
  return db.selectFrom("image_import").select(columns).where("id", "=", id).executeTakeFirst();
}

/** The last time this image was asked for. */
export function latestImport(db: On, service: ServiceName, image: string): Promise<ImportRow | undefined> {
  const rows = db.selectFrom("image_import").select(columns).where("service", "=", service).where("image", "=", image);
  return rows.orderBy("number", "desc").limit(1).executeTakeFirst();
}

/** Newest first, numbers below `before`. */
export async function listImports(
  db: On,
  service: ServiceName | undefined,
  limit: number,
  before: number | undefined,
): Promise<readonly ImportRow[]> {
  let rows = db.selectFrom("image_import").select(columns);
  if (service !== undefined) rows = rows.where("service", "=", service);
  if (before !== undefined) rows = rows.where("number", "<", before);
  return await rows.orderBy("number", "desc").limit(limit).execute();
}

export async function noteProgress(db: On, id: ImportId, total: number, copied: number): Promise<void> {
  // Blobs come side by side, and so do these: the smaller number may arrive last.
  const most = sql<number>`greatest(bytes_copied, ${copied}::bigint)`;
  await db.updateTable("image_import").set({ bytes_total: total, bytes_copied: most }).where("id", "=", id).execute();
}
