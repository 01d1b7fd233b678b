import type { Instant } from "@slipway/kernel";
import { ahead, jsonText } from "@slipway/sql";
import { sql } from "kysely";
import { type EmittedCommand, type WorkingRow, workingRow } from "./decide.ts";
import type { DurableTx } from "./tables.ts";
import type { AnyState } from "./types.ts";

export type MachineKey = { readonly kind: string; readonly id: string };

export function keyOf({ kind, id }: MachineKey): string {
  return `${kind}/${id}`;
}

/** Locks the rows in id order, so that two batches never wait for each other in a circle. */
export async function lockMachines(tx: DurableTx, keys: readonly MachineKey[]): Promise<Map<string, WorkingRow>> {
  const { rows } = await sql<{
    kind: string;
    id: string;
    state: AnyState;
    version: number;
    generation: number;
    format: number;
    updated_at: Instant;
  }>`
    select kind, id, state, version, generation, format, updated_at from machine
    where (kind, id) in (select * from unnest(${keys.map((key) => key.kind)}::text[], ${keys.map((key) => key.id)}::text[]))
    order by kind, id for no key update`.execute(tx);
  return new Map(rows.map((row) => [keyOf(row), workingRow({ ...row, updatedAt: row.updated_at })]));
}

export type HeldCommand = {
  readonly attempts: number;
  readonly holder: string | null;
  readonly generation: number;
  readonly survives: boolean;
};

/** After `lockMachines`, in seq order. */
export async function lockCommands(tx: DurableTx, seqs: readonly number[]): Promise<Map<number, HeldCommand>> {
  if (seqs.length === 0) return new Map();
  const { rows } = await sql<HeldCommand & { seq: number }>`
    select seq, attempts, holder, generation, survives from command where seq = any(${[...seqs]}::bigint[]) order by seq for update`.execute(
    tx,
  );
  return new Map(rows.map((row) => [row.seq, row]));
}

/** What is written goes to the database in one message with what comes next in its transaction, its commit at last: nobody asks what it answers. */
export async function saveMachines(
  tx: DurableTx,
  rows: readonly WorkingRow[],
  formatOfKind: (kind: string) => number,
): Promise<void> {
  if (rows.length === 0) return;
  const values = rows.map(({ kind, id, state, version, generation, updatedAt }) => ({
    ...{ kind, id, phase: state.phase, state, version, generation },
    format: formatOfKind(kind),
    updated_at: updatedAt,
  }));
  await sql`
    ${ahead} update machine m
    set phase = d.phase, state = d.state, version = d.version, generation = d.generation, format = greatest(m.format, d.format),
        updated_at = d.updated_at
    from jsonb_to_recordset(${jsonText(values)}::jsonb) as d(
      kind text, id text, phase text, state jsonb, version bigint, generation bigint, format integer, updated_at timestamptz)
    where m.kind = d.kind and m.id = d.id`.execute(tx);
}

/** What nobody has claimed of older generations, and the timers of a machine that has ended. */
export async function voidCommands(tx: DurableTx, rows: readonly WorkingRow[]): Promise<void> {
  const values = rows
    .filter((row) => row.generation !== row.before.generation || row.ended)
    .map(({ kind, id, generation, ended }) => ({ kind, id, generation, ended }));
  if (values.length === 0) return;
  await sql`
    ${ahead} delete from command c
    using jsonb_to_recordset(${jsonText(values)}::jsonb) as d(kind text, id text, generation bigint, ended boolean)
    where c.kind = d.kind and c.id = d.id and not c.survives
      and (c.generation < d.generation or (d.ended and c.timer))
      and (c.leased_until is null or c.leased_until <= clock_timestamp())`.execute(tx);
}

export type NewCommand = EmittedCommand & MachineKey & { readonly at: Instant };

/** Inserted in order: the order of seq is the order within a lane. */
export async function insertCommands(tx: DurableTx, commands: readonly NewCommand[]): Promise<void> {
  if (commands.length === 0) return;
  await tx
    .insertInto("command")
    .values(
      commands.map(({ kind, id, command, lane, generation, survives, timer, urgent, runAfter, at }) => ({
        ...{ kind, id, lane, generation, survives, timer, urgent },
        payload: jsonText(command),
        run_after: runAfter,
        created_at: at,
      })),
    )
    .modifyEnd(ahead)
    .execute();
}

export async function deleteCommands(tx: DurableTx, seqs: readonly number[]): Promise<void> {
  if (seqs.length > 0) await sql`${ahead} delete from command where seq = any(${[...seqs]}::bigint[])`.execute(tx);
}

export type Postponed = { readonly seq: number; readonly afterMs: number; readonly reason: string };

export async function postponeCommands(tx: DurableTx, postponed: readonly Postponed[]): Promise<void> {
  if (postponed.length === 0) return;
  await sql`
    ${ahead} update command c
    set run_after = clock_timestamp() + d."afterMs" * interval '1 millisecond', last_reason = d.reason,
        holder = null, leased_until = null
    from jsonb_to_recordset(${jsonText(postponed)}::jsonb) as d(seq bigint, "afterMs" double precision, reason text)
    where c.seq = d.seq`.execute(tx);
}

/** One channel per schema; the payload is empty, since a worker looks for itself. */
export async function wakeWorkers(tx: DurableTx): Promise<void> {
  await sql`${ahead} select pg_notify('slipway_durable_' || current_schema(), '')`.execute(tx);
}

export async function clock(tx: DurableTx): Promise<Instant> {
  const { rows } = await sql<{ now: Instant }>`select clock_timestamp() as now`.execute(tx);
  return (rows[0] as { now: Instant }).now;
}
