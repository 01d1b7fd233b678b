import type { Db } from "@slipway/sql";
import { auditHash, beforeFirst } from "./audit.ts";
import { type DurableDb, durableTables } from "./tables.ts";

/** A place in the chain: an entry and its hash. `seq` 0 is before the first one. */
export type AuditHead = { readonly seq: number; readonly hash: string };

/**
 * `entries`: so many, from the first one on, follow one another. `head` is the last hash of them: kept elsewhere, it also shows that nothing was cut off
 * at the end. `unfinished`: the time was over; go on from there.
 */
export type AuditVerdict =
  | { readonly kind: "intact" | "unfinished"; readonly entries: number; readonly head: string }
  | { readonly kind: "broken"; readonly seq: number; readonly why: string };

export type VerifyAuditOptions = {
  /** Where an unfinished look ended. The log has to have it still. Default: before the first entry. */
  readonly from?: AuditHead | undefined;
  /** A head of earlier, which the log has to have still. */
  readonly kept?: AuditHead | undefined;
  /** Default: until the end. */
  readonly withinMs?: number;
  readonly signal?: AbortSignal;
};

/** Some milliseconds of hashing, after which others have their turn. */
const pageSize = 500;

/**
 * Reads the log and recomputes every hash, page by page, without a lock or a transaction: what is added meanwhile is at the end, and is read as well.
 * Rejects where the signal aborts.
 */
export async function verifyAudit<T>(db: Db<T>, options: VerifyAuditOptions = {}): Promise<AuditVerdict> {
  const own = durableTables(db);
  const { from, kept, withinMs = Number.POSITIVE_INFINITY, signal } = options;
  const until = performance.now() + withinMs;
  signal?.throwIfAborted();
  const gone = (await goneFrom(own, kept)) ?? (await goneFrom(own, from));
  if (gone !== undefined) return gone;
  let at = from ?? { seq: 0, hash: beforeFirst };
  for (;;) {
    signal?.throwIfAborted();
    const page = await pageAfter(own, at.seq);
    for (const entry of page) {
      const why = flawOf(entry, at);
      if (why !== undefined) return { kind: "broken", seq: Math.min(entry.seq, at.seq + 1), why };
      at = entry;
    }
    const found = { entries: at.seq, head: at.hash };
    if (page.length < pageSize) return { kind: "intact", ...found };
    if (performance.now() > until) return { kind: "unfinished", ...found };
  }
}

function pageAfter(db: DurableDb, seq: number) {
  const page = db.selectFrom("audit").selectAll().orderBy("seq").limit(pageSize);
  // At the beginning without a bound: nothing may stand before the first entry.
  return (seq === 0 ? page : page.where("seq", ">", seq)).execute();
}

type Entry = Awaited<ReturnType<typeof pageAfter>>[number];

function flawOf({ prev_hash: prevHash, hash, ...entry }: Entry, before: AuditHead): string | undefined {
  if (entry.seq < 1) return "it stands before the first entry";
  if (entry.seq !== before.seq + 1) return "the entry is missing";
  if (prevHash !== before.hash) return "it does not follow the entry before it";
  return auditHash(prevHash, entry) === hash ? undefined : "its content was changed";
}

/** Says what became of an entry that was seen before. */
async function goneFrom(db: DurableDb, seen: AuditHead | undefined): Promise<AuditVerdict | undefined> {
  if (seen === undefined) return undefined;
  const { seq } = seen;
  const row = await db.selectFrom("audit").select("hash").where("seq", "=", seq).executeTakeFirst();
  const hash = seq === 0 ? beforeFirst : row?.hash;
  if (hash === seen.hash) return undefined;
  const why =
    hash === undefined
      ? "the entry was there when its hash was kept, and is missing"
      : "it is another one than when its hash was kept";
  return { kind: "broken", seq, why };
}
