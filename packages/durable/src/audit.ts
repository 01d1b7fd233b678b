import { createHash } from "node:crypto";
import type { Instant } from "@slipway/kernel";
import { ahead, type Db, jsonText, type Tx } from "@slipway/sql";
import { sql } from "kysely";
import { durableTables, durableTransaction } from "./tables.ts";

export type AuditEntry = {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** JSON values only. */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly at: Instant;
};

/** `head` is the last hash: kept elsewhere, it also shows that nothing was cut off at the end. */
export type AuditVerdict =
  | { readonly kind: "intact"; readonly entries: number; readonly head: string }
  | { readonly kind: "broken"; readonly seq: number; readonly why: string };

const beforeFirst = "0".repeat(64);
const pageSize = 1_000;

/** Adds an entry in the caller's transaction. Callers of one schema wait for one another until their transactions end. */
export async function appendAudit<T>(tx: Tx<T>, entry: AuditEntry): Promise<void> {
  const own = durableTransaction(tx);
  await sql`${ahead} select pg_advisory_xact_lock(hashtextextended('slipway.audit.' || current_schema(), 0))`.execute(
    own,
  );
  const last = await own.selectFrom("audit").select(["seq", "hash"]).orderBy("seq", "desc").limit(1).executeTakeFirst();
  const seq = (last?.seq ?? 0) + 1;
  const prevHash = last?.hash ?? beforeFirst;
  const { actor, action, subject, at } = entry;
  // As the database gives it back: what JSON leaves out must not be hashed.
  const detail: unknown = JSON.parse(jsonText(entry.detail));
  const hash = auditHash(prevHash, { seq, at, actor, action, subject, detail });
  await own
    .insertInto("audit")
    .values({ seq, at, actor, action, subject, detail: JSON.stringify(detail), prev_hash: prevHash, hash })
    .modifyEnd(ahead)
    .execute();
}

/** Reads the whole log and recomputes every hash. */
export async function verifyAudit<T>(db: Db<T>): Promise<AuditVerdict> {
  const own = durableTables(db);
  let head = beforeFirst;
  let entries = 0;
  for (;;) {
    const page = await own
      .selectFrom("audit")
      .selectAll()
      .where("seq", ">", entries)
      .orderBy("seq")
      .limit(pageSize)
      .execute();
    for (const { prev_hash: prevHash, hash, ...entry } of page) {
      const seq = entries + 1;
      if (entry.seq !== seq) return { kind: "broken", seq, why: "the entry is missing" };
      if (prevHash !== head) return { kind: "broken", seq, why: "it does not follow the entry before it" };
      if (auditHash(prevHash, entry) !== hash) return { kind: "broken", seq, why: "its content was changed" };
      head = hash;
      entries = seq;
    }
    if (page.length < pageSize) return { kind: "intact", entries, head };
  }
}

type Hashed = AuditEntryColumns & { readonly seq: number };
type AuditEntryColumns = { at: Instant; actor: string; action: string; subject: string; detail: unknown };

export function auditHash(prevHash: string, { seq, at, actor, action, subject, detail }: Hashed): string {
  const content = canonicalJson([prevHash, seq, at, actor, action, subject, detail]);
  return createHash("sha256").update(content).digest("hex");
}

/** JSON with sorted keys: jsonb keeps no order. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}
