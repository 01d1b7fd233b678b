import { sql } from "kysely";
import type { Lease } from "./batch.ts";
import type { DurableDb } from "./tables.ts";
import type { AnyCommand, AnyState } from "./types.ts";
import { unflushed } from "./unflushed.ts";

/** Short, so that a killed worker's commands are taken over within two seconds; renewed three times within it. */
export const leaseMs = 1_500;

/** A place whose commands nobody has taken for so long has nobody any more: its processes look each second. */
export const abandonedMs = 10_000;

export type Claim = {
  readonly lease: Lease;
  readonly command: AnyCommand;
  /** Of its machine when it was claimed. */
  readonly state: AnyState;
  readonly generation: number;
  readonly urgent: boolean;
  /** Its machine was superseded: to be removed, never performed. */
  readonly void: boolean;
};

/** A kind of machine with the newest form of it that this program knows. */
export type KnownKind = { readonly kind: string; readonly format: number };

type ClaimedRow = {
  urgent: boolean;
  seq: number;
  kind: string;
  id: string;
  payload: AnyCommand;
  state: AnyState;
  generation: number;
  attempts: number;
  void: boolean;
};

/**
 * Takes due heads of lanes. The share lock on the machine makes this and superseding exclude each other: after a supersede
 * is committed none of the older commands can be claimed. Nothing here waits for a lock; what is locked is skipped, nor for the disk: a database that forgets a lease
 * when it dies gives the command to the next who asks, as if the lease had run out.
 */
export async function claimCommands(
  db: DurableDb,
  holder: string,
  kinds: readonly KnownKind[],
  {
    limit,
    urgentOnly,
    place,
  }: { readonly limit: number; readonly urgentOnly: boolean; readonly place?: string | undefined },
): Promise<Claim[]> {
  const claim = sql<ClaimedRow>`
    with head as (
      select c.seq, not c.survives and c.generation < m.generation as void, m.state
      from command c join machine m on m.kind = c.kind and m.id = c.id
      where c.run_after <= clock_timestamp() and (c.leased_until is null or c.leased_until <= clock_timestamp())
        and c.kind = any(${kinds.map(({ kind }) => kind)}::text[]) and m.format <= (
          select known.format from unnest(${kinds.map(({ kind }) => kind)}::text[], ${kinds.map(({ format }) => format)}::int[])
            as known(kind, format) where known.kind = c.kind) ${urgentOnly ? sql`and c.urgent` : sql``} ${atPlace(place)}
        and (c.lane is null or not exists (
          select 1 from command e where e.kind = c.kind and e.id = c.id and e.lane = c.lane and e.seq < c.seq))
      order by c.run_after, c.seq limit ${limit}
      for update of c skip locked for share of m skip locked
    )
    update command c
    set holder = ${holder}, attempts = c.attempts + 1, leased_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    from head where c.seq = head.seq
    returning c.seq, c.kind, c.id, c.payload, c.generation, c.attempts, c.urgent, head.void, head.state`;
  const rows = await unflushed(db, claim);
  return rows
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ seq, kind, id, payload, state, generation, attempts, urgent, void: isVoid }) => ({
      lease: { seq, kind, id, attempt: attempts, holder },
      command: payload,
      state,
      generation,
      urgent,
      void: isVoid,
    }));
}

/** Of this place, of none, or of one where nobody has taken it for so long that nobody can be there. */
function atPlace(place: string | undefined) {
  if (place === undefined) return sql``;
  return sql`and (m.state->>'place' is null or m.state->>'place' = ${place}
    or greatest(c.run_after, coalesce(c.leased_until, c.run_after)) < clock_timestamp() - ${abandonedMs} * interval '1 millisecond')`;
}

export type Renewed = { readonly seq: number; readonly attempts: number; readonly superseded: boolean };

/** A row that is being recorded is locked and skipped: its lease is about to end anyway. */
export async function renewLeases(db: DurableDb, holder: string, seqs: readonly number[]): Promise<readonly Renewed[]> {
  const renewal = sql<Renewed>`
    with mine as (
      select c.seq, not c.survives and c.generation < m.generation as superseded
      from command c join machine m on m.kind = c.kind and m.id = c.id
      where c.seq = any(${[...seqs]}::bigint[]) and c.holder = ${holder}
      order by c.seq for update of c skip locked
    )
    update command c set leased_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    from mine where c.seq = mine.seq
    returning c.seq, c.attempts, mine.superseded`;
  return await unflushed(db, renewal);
}

/** Gives back what is left at the end of the process, so that others need not wait for the leases to run out. */
export async function releaseLeases(db: DurableDb, holder: string): Promise<void> {
  await sql`
    update command set holder = null, leased_until = null
    where seq in (select seq from command where holder = ${holder} order by seq for update skip locked)`.execute(db);
}

export type NextDue = {
  /** Milliseconds until the next timer is due or the next lease runs out; null when there is neither. */
  readonly ms: number | null;
  /** Something is due, held or leased: its end rings nobody. */
  readonly underWay: boolean;
};

export async function nextDue(db: DurableDb): Promise<NextDue> {
  const { rows } = await sql<NextDue>`
    select (extract(epoch from least(
      (select min(run_after) from command where run_after > clock_timestamp()),
      (select min(leased_until) from command where leased_until > clock_timestamp())
    ) - clock_timestamp()) * 1000)::float8 as ms,
    exists (select from command where run_after <= clock_timestamp())
      or exists (select from command where leased_until is not null) as "underWay"`.execute(db);
  return rows[0] ?? { ms: null, underWay: false };
}

export async function hasDueCommand(db: DurableDb, kinds: readonly string[]): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    select exists (select 1 from command where run_after <= clock_timestamp() and kind = any(${[...kinds]}::text[])) as due`.execute(
    db,
  );
  return rows[0]?.due ?? false;
}
