import type { Judgement } from "@slipway/contracts";
import type { Instant } from "@slipway/kernel";
import { type Db, forgetRows, type Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { Known } from "./domain/about-deployments.ts";
import type { Ruling } from "./domain/delivery.ts";
import type { Notice } from "./domain/notice.ts";
import type { Settling } from "./domain/settling.ts";

/** All SQL of the schema `notification`. Statements name their tables themselves, so no table type is needed. */
export type NotificationDb = Db<Record<never, never>>;
type NotificationTx = Tx<Record<never, never>>;

export type Row = {
  readonly number: number;
  readonly about: string;
  readonly channel: string;
  readonly notice: Notice;
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  readonly lastReason: string | null;
  readonly createdAt: Instant;
  readonly deliveredAt: Instant | null;
  /** How what it waits for was decided, and when; null while it waits, and where it waits for nothing. */
  readonly settled: string | null;
  readonly settledAt: Instant | null;
};

const columns = sql`number, about, channel, notice, state, attempts, last_reason as "lastReason",
  created_at as "createdAt", delivered_at as "deliveredAt", settled, settled_at as "settledAt"`;

/** False when the event has its notification already. One for the inbox is delivered by being written. */
export async function addNotification(
  db: NotificationDb,
  eventKey: string,
  channel: string,
  notice: Notice,
): Promise<boolean> {
  const inbox = channel === "inbox";
  const { numAffectedRows } = await sql`
    insert into notification (event_key, about, channel, notice, state, attempts, delivered_at)
    values (${eventKey}, ${notice.about}, ${channel}, ${JSON.stringify(notice)}::jsonb,
      ${inbox ? "delivered" : "pending"}, ${inbox ? 1 : 0}, case when ${inbox} then clock_timestamp() end)
    on conflict (event_key) do nothing`.execute(db);
  return numAffectedRows === 1n;
}

/** Marks what waited for this as decided. What comes later waits anew. */
export async function settle(tx: NotificationTx, { about, waits, how }: Settling): Promise<void> {
  await sql`
    update notification set settled = ${how}, settled_at = clock_timestamp()
    where about = ${about} and settled is null and notice ->> 'waits' = any(${[...waits]}::text[])`.execute(tx);
}

/** With no address for a channel any more, what waits for it is shown in the inbox alone. */
export async function rerouteToInbox(db: NotificationDb): Promise<number> {
  const { numAffectedRows } = await sql`
    update notification set channel = 'inbox', state = 'delivered', delivered_at = clock_timestamp()
    where state = 'pending'`.execute(db);
  return Number(numAffectedRows ?? 0n);
}

export async function readKnown(db: NotificationDb, deployment: string): Promise<Known | undefined> {
  const { rows } = await sql<Known & { accepted: boolean }>`
    select baselines, judgement, requested_by is not null as accepted
    from known_deployment where id = ${deployment}`.execute(db);
  return rows[0]?.accepted ? rows[0] : undefined;
}

export async function learnAccepted(
  db: NotificationDb,
  deployment: string,
  baselines: Readonly<Record<string, string | null>>,
  requestedBy: string,
): Promise<void> {
  await sql`
    insert into known_deployment (id, baselines, requested_by)
    values (${deployment}, ${JSON.stringify(baselines)}::jsonb, ${requestedBy})
    on conflict (id) do update set requested_by = excluded.requested_by,
      baselines = coalesce(nullif(known_deployment.baselines, '{}'::jsonb), excluded.baselines)`.execute(db);
}

/** What serves when a deployment begins; it may differ from what served when it was accepted, and replaces it. */
export async function learnBaselines(
  tx: NotificationTx,
  deployment: string,
  baselines: Readonly<Record<string, string | null>>,
): Promise<void> {
  await sql`
    insert into known_deployment (id, baselines) values (${deployment}, ${JSON.stringify(baselines)}::jsonb)
    on conflict (id) do update set baselines = excluded.baselines`.execute(tx);
}

/** The latest, in whatever order they come. */
export async function learnJudgement(db: NotificationDb, deployment: string, judgement: Judgement): Promise<void> {
  await sql`
    insert into known_deployment (id, judgement) values (${deployment}, ${JSON.stringify(judgement)}::jsonb)
    on conflict (id) do update set judgement = excluded.judgement
      where known_deployment.judgement is null
        or (known_deployment.judgement ->> 'at')::timestamptz <= (excluded.judgement ->> 'at')::timestamptz`.execute(
    db,
  );
}

/** Forgets what was delivered, or given up, and told of so long ago, and what was learned then to tell it by. What waits stays, whatever its age. */
export async function forgetNotifications(db: NotificationDb, olderThanMs: number): Promise<void> {
  const isTold = sql<boolean>`state <> 'pending' and announced`;
  await forgetRows(db, { table: "notification", at: "created_at", olderThanMs, where: isTold });
  const isUnused = sql<boolean>`not exists (select from notification n where n.about = known_deployment.id)`;
  await forgetRows(db, { table: "known_deployment", at: "learned_at", olderThanMs, where: isUnused });
}

/** Newest first; `before` is the number that the last page ended with. */
export async function listRows(db: NotificationDb, limit: number, before?: number): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    select ${columns} from notification
    where ${before ?? null}::bigint is null or number < ${before ?? null}::bigint
    order by number desc limit ${limit}`.execute(db);
  return rows;
}

export type Turn =
  | { readonly kind: "send"; readonly row: Row }
  /** Nothing to send, or not before so many ms; null: not before something is added. */
  | { readonly kind: "wait"; readonly ms: number | null };

/** 0 where it is over. A time that never was is `-infinity`, from which Postgres subtracts nothing before 17. */
function msUntil(column: "next_send_at" | "next_attempt_at") {
  const at = sql.ref(column);
  return sql`case when ${at} > clock_timestamp()
    then greatest(0, extract(epoch from ${at} - clock_timestamp()) * 1000) else 0 end::double precision`;
}

/** Locks the channel to the end of the transaction, without waiting, and looks at the first pending message. */
export async function takeTurn(tx: NotificationTx, channel: string): Promise<Turn> {
  const { rows: channels } = await sql<{ pause_ms: number }>`
    select ${msUntil("next_send_at")} as pause_ms
    from channel where name = ${channel} for update skip locked`.execute(tx);
  const lane = channels[0];
  if (lane === undefined) return { kind: "wait", ms: 1_000 };
  const { rows } = await sql<Row & { wait_ms: number }>`
    select ${columns}, ${msUntil("next_attempt_at")} as wait_ms
    from notification where channel = ${channel} and state = 'pending' order by number limit 1`.execute(tx);
  const row = rows[0];
  if (row === undefined) return { kind: "wait", ms: null };
  const ms = Math.max(lane.pause_ms, row.wait_ms);
  return ms > 0 ? { kind: "wait", ms } : { kind: "send", row };
}

export async function recordAttempt(tx: NotificationTx, row: Row, attempts: number, ruling: Ruling): Promise<void> {
  await sql`
    update notification set state = ${ruling.state}, attempts = ${attempts}, last_reason = ${ruling.reason},
      next_attempt_at = clock_timestamp() + ${ruling.retryAfterMs}::double precision * interval '1 ms',
      delivered_at = case when ${ruling.state === "delivered"} then clock_timestamp() end
    where number = ${row.number}`.execute(tx);
  await sql`
    update channel set next_send_at = clock_timestamp() + ${ruling.pauseMs}::double precision * interval '1 ms'
    where name = ${row.channel}`.execute(tx);
}

/** A start is a reason to try again at once: its address may be another. */
export async function ensureChannel(db: NotificationDb, channel: string): Promise<void> {
  await sql`insert into channel (name) values (${channel}) on conflict do nothing`.execute(db);
  await sql`
    update notification set next_attempt_at = clock_timestamp()
    where channel = ${channel} and state = 'pending' and next_attempt_at > clock_timestamp()`.execute(db);
}

export async function unannounced(db: NotificationDb): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    select ${columns} from notification where state <> 'pending' and not announced order by number limit 100`.execute(
    db,
  );
  return rows;
}

export async function markAnnounced(db: NotificationDb, rows: readonly Row[]): Promise<void> {
  await sql`
    update notification set announced = true
    where number = any(${rows.map((row) => row.number)}::bigint[])`.execute(db);
}
