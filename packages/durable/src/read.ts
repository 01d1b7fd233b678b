import type { Instant } from "@slipway/kernel";
import { sql } from "kysely";
import type { DurableDb } from "./tables.ts";
import type { AnyCommand, AnyState, ListOptions, PendingCommand, Row } from "./types.ts";

const columns = ["id", "state", "version", "generation", "format", "created_at", "updated_at"] as const;

type Stored = {
  readonly id: string;
  readonly state: unknown;
  readonly version: number;
  readonly generation: number;
  readonly format: number;
  readonly created_at: Instant;
  readonly updated_at: Instant;
};

export async function readRow(
  db: DurableDb,
  kind: string,
  id: string,
): Promise<(Row<AnyState> & { readonly format: number }) | undefined> {
  const stored = await db
    .selectFrom("machine")
    .select(columns)
    .where("kind", "=", kind)
    .where("id", "=", id)
    .executeTakeFirst();
  return stored === undefined ? undefined : { ...rowOf(stored), format: stored.format };
}

export async function listRows(
  db: DurableDb,
  kind: string,
  options: ListOptions,
  newestFormat: number,
): Promise<Row<AnyState>[]> {
  let query = db.selectFrom("machine").select(columns).where("kind", "=", kind).where("format", "<=", newestFormat);
  if (options.phases !== undefined) query = query.where(sql<boolean>`phase = any(${[...options.phases]}::text[])`);
  if (options.afterId !== undefined) query = query.where("id", ">", options.afterId);
  const stored = await query
    .orderBy("id")
    .limit(options.limit ?? 1_000)
    .execute();
  return stored.map(rowOf);
}

export async function readPending(db: DurableDb, kind: string, id: string): Promise<PendingCommand<AnyCommand>[]> {
  const stored = await db
    .selectFrom("command")
    .selectAll()
    .where("kind", "=", kind)
    .where("id", "=", id)
    .orderBy("seq")
    .execute();
  return stored.map((row) => ({
    commandId: `${kind}/${id}/${row.seq}`,
    command: row.payload as AnyCommand,
    lane: row.lane,
    generation: row.generation,
    attempts: row.attempts,
    lastReason: row.last_reason,
    runAfter: row.run_after,
    holder: row.holder,
  }));
}

function rowOf(stored: Stored): Row<AnyState> {
  return {
    id: stored.id,
    state: stored.state as AnyState,
    version: stored.version,
    generation: stored.generation,
    createdAt: stored.created_at,
    updatedAt: stored.updated_at,
  };
}
