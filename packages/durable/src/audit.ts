import { createHash } from "node:crypto";
import type { Instant } from "@slipway/kernel";
import { ahead, jsonText, type Tx } from "@slipway/sql";
import { sql } from "kysely";
import { durableTransaction } from "./tables.ts";

export type AuditEntry = {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** JSON values only. */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly at: Instant;
};

/** What the first entry follows. */
export const beforeFirst = "0".repeat(64);

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
