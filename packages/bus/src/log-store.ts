import { CloudEvent } from "@slipway/contracts";
import type { Db } from "@slipway/sql";
import { sql } from "kysely";
import { checkTopic, textOf } from "./acceptable.ts";
import type { ReadPage, ReadPosition } from "./port.ts";
import { formatPosition, parsePosition, positionAfter } from "./position.ts";

/** The functions of migrations/bus are the only way to write, so no table type is needed. */
export type BusDb = Db<Record<never, never>>;

/** A partition that a group works on, by one claim. */
export type Claim = {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly token: string;
  /** Where the group has come to. */
  readonly nextOffset: number;
};

export type LoggedEvent = {
  readonly offset: number;
  readonly subject: string;
  readonly body: unknown;
};

export type Parked = { readonly subject: string; readonly offset: number; readonly attempts: number };

export async function publishEvents(db: BusDb, topic: string, events: readonly CloudEvent[]): Promise<void> {
  checkTopic(topic);
  if (events.length === 0) return;
  const body = `[${events.map((event) => textOf(topic, event).text).join()}]`;
  await sql`select publish(${topic}, ${body}::jsonb)`.execute(db);
}

export async function forgetEvents(db: BusDb, olderThanMs: number, limit: number): Promise<number> {
  const { rows } = await sql<{ forgotten: number }>`
    select forget(${olderThanMs}::bigint, ${limit}::integer) as forgotten`.execute(db);
  return rows[0]?.forgotten ?? 0;
}

export async function readEvents(db: BusDb, topic: string, from: ReadPosition, limit: number): Promise<ReadPage> {
  const known = await sql<{ partitions: number }>`select partitions from topic where name = ${topic}`.execute(db);
  const partitions = known.rows[0]?.partitions;
  if (partitions === undefined) return { events: [], next: 0 };
  const offsets = parsePosition(from, partitions);
  const { rows } = await sql<{ partition: number; offset: number; body: unknown }>`
    select e.partition, e."offset", e.body
    from event e join unnest(${[...offsets]}::bigint[]) with ordinality as p ("from", place) on e.partition = p.place - 1
    where e.topic = ${topic} and e."offset" >= p."from"
    order by e.published_at, e.partition, e."offset"
    limit ${limit}`.execute(db);
  return {
    events: rows.map((row) => CloudEvent.parse(row.body)),
    next: formatPosition(positionAfter(offsets, rows)),
  };
}

export async function joinGroup(db: BusDb, group: string, topics: readonly string[]): Promise<void> {
  topics.forEach(checkTopic);
  await sql`select join_group(${group}, ${[...topics]}::text[])`.execute(db);
}

/** A partition with work, or in how many ms there may be one (null: not before something is published). */
export async function claimPartition(
  db: BusDb,
  group: string,
  topics: readonly string[],
  token: string,
  leaseMs: number,
): Promise<Claim | { readonly waitMs: number | null }> {
  const { rows } = await sql<{
    topic: string | null;
    partition: number;
    next_offset: number;
    wait_ms: number | null;
  }>`select * from claim(${group}, ${[...topics]}::text[], ${token}, ${leaseMs})`.execute(db);
  const row = rows[0];
  if (row === undefined || row.topic === null) return { waitMs: row?.wait_ms ?? null };
  return { group, topic: row.topic, partition: row.partition, token, nextOffset: row.next_offset };
}

/** Subjects of the claim that wait after a failure; `due` those whose time has come, oldest first. */
export async function readParked(
  db: BusDb,
  { group, topic, partition }: Claim,
): Promise<{ readonly subjects: Set<string>; readonly due: readonly Parked[] }> {
  const { rows } = await sql<Parked & { due: boolean }>`
    select subject, "offset", attempts, due_at <= clock_timestamp() as due from retry
    where consumer_group = ${group} and topic = ${topic} and partition = ${partition}
    order by due_at`.execute(db);
  return { subjects: new Set(rows.map((row) => row.subject)), due: rows.filter((row) => row.due) };
}

export async function readNew(db: BusDb, claim: Claim, limit: number): Promise<readonly LoggedEvent[]> {
  const { rows } = await sql<LoggedEvent>`
    select "offset", subject, body from event
    where topic = ${claim.topic} and partition = ${claim.partition} and "offset" >= ${claim.nextOffset}
    order by "offset" limit ${limit}`.execute(db);
  return rows;
}

/** What a parked subject has missed: its events from an offset on, up to where the partition has come to. */
export async function readMissed(
  db: BusDb,
  claim: Claim,
  subject: string,
  from: number,
  limit: number,
): Promise<readonly LoggedEvent[]> {
  const { rows } = await sql<LoggedEvent>`
    select "offset", subject, body from event
    where topic = ${claim.topic} and partition = ${claim.partition} and subject = ${subject}
      and "offset" >= ${from} and "offset" < ${claim.nextOffset}
    order by "offset" limit ${limit}`.execute(db);
  return rows;
}

/** Records progress; extends the lease, or gives it back with null. False: another claim has the partition now. */
export async function advance(db: BusDb, claim: Claim, nextOffset: number, leaseMs: number | null): Promise<boolean> {
  const { rows } = await sql<{ held: boolean }>`
    select advance(${claim.group}, ${claim.topic}, ${claim.partition}, ${claim.token}, ${nextOffset}, ${leaseMs}::integer)
      as held`.execute(db);
  return rows[0]?.held === true;
}

export async function park(db: BusDb, claim: Claim, parked: Parked, delayMs: number, reason: string): Promise<boolean> {
  const { rows } = await sql<{ held: boolean }>`
    select park(${claim.group}, ${claim.topic}, ${claim.partition}, ${claim.token}, ${parked.subject},
      ${parked.offset}, ${parked.attempts}, ${delayMs}, ${reason.slice(0, 2000)}) as held`.execute(db);
  return rows[0]?.held === true;
}

export async function unpark(db: BusDb, claim: Claim, subject: string): Promise<boolean> {
  const { rows } = await sql<{ held: boolean }>`
    select unpark(${claim.group}, ${claim.topic}, ${claim.partition}, ${claim.token}, ${subject}) as held`.execute(db);
  return rows[0]?.held === true;
}
