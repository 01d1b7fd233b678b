import type { Instant } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { type RawBuilder, type Selectable, sql } from "kysely";
import { type DurableTables, durableTables } from "./tables.ts";

export type AuditRow = Selectable<DurableTables["audit"]>;

export type AuditQuery = {
  readonly actor?: string | undefined;
  /** `promotion.granted`, or the first word for all of its kind: `promotion`. */
  readonly action?: string | undefined;
  /** The entry's subject, or something else that it names: its service, digest, promotion, deployment or build. */
  readonly subject?: string | undefined;
  /** The service that was acted upon. */
  readonly service?: string | undefined;
  /** From then on. */
  readonly since?: Instant | undefined;
  /** Before then. */
  readonly until?: Instant | undefined;
  /** Only entries with a smaller number. */
  readonly before?: number | undefined;
  readonly limit: number;
  readonly signal?: AbortSignal;
};

/** `next`: what to give as `before` for what is older; null: there is nothing older. */
export type AuditPage = { readonly entries: readonly AuditRow[]; readonly next: number | null };

/** So many rows are looked through by one statement: numbers have no gaps, so that a range of them bounds its work. */
const windowSize = 20_000;
const withinMs = 2_000;

/**
 * Newest first. Filters have no index of their own but are looked for in bounded pieces; where little is found in the time there is, the page is shorter
 * than asked for, or empty, and `next` goes on.
 */
export async function readAudit<T>(db: Db<T>, query: AuditQuery): Promise<AuditPage> {
  const own = durableTables(db);
  const until = performance.now() + withinMs;
  const wanted = query.limit + 1;
  const entries: AuditRow[] = [];
  let before = query.before ?? (await lastSeq(own)) + 1;
  while (before > 1 && entries.length < wanted && performance.now() < until) {
    query.signal?.throwIfAborted();
    const from = Math.max(1, before - windowSize);
    let window = own.selectFrom("audit").selectAll().where("seq", "<", before).where("seq", ">=", from);
    for (const condition of conditionsOf(query)) window = window.where(condition);
    entries.push(
      ...(await window
        .orderBy("seq", "desc")
        .limit(wanted - entries.length)
        .execute()),
    );
    before = from;
  }
  const page = entries.slice(0, query.limit);
  if (entries.length > page.length) return { entries: page, next: page.at(-1)?.seq ?? null };
  return { entries: page, next: before > 1 ? before : null };
}

async function lastSeq(db: Db<DurableTables>): Promise<number> {
  const last = await db.selectFrom("audit").select("seq").orderBy("seq", "desc").limit(1).executeTakeFirst();
  return Math.max(0, last?.seq ?? 0);
}

function conditionsOf({ actor, action, subject, service, since, until }: AuditQuery): readonly RawBuilder<boolean>[] {
  const conditions: RawBuilder<boolean>[] = [];
  if (actor !== undefined) conditions.push(sql`actor = ${actor}`);
  if (action !== undefined) conditions.push(sql`(action = ${action} or starts_with(action, ${`${action}.`}))`);
  if (service !== undefined) conditions.push(sql`${service} in (subject, detail ->> 'service')`);
  if (subject !== undefined) {
    conditions.push(sql`${subject} in (subject, detail ->> 'service', detail ->> 'digest', detail ->> 'promotion',
      detail ->> 'deployment', detail ->> 'build')`);
  }
  if (since !== undefined) conditions.push(sql`at >= ${since}::timestamptz`);
  if (until !== undefined) conditions.push(sql`at < ${until}::timestamptz`);
  return conditions;
}
