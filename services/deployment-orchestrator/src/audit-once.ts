import { inboxOnce } from "@slipway/bus";
import { type AuditEntry, appendAudit } from "@slipway/durable";
import type { Db } from "@slipway/sql";
import type { Tables } from "./store.ts";

/** Appends an entry unless one with this key was appended before: for effects, which may be repeated. */
export function auditOnce(db: Db<Tables>): (key: string, entry: AuditEntry) => Promise<void> {
  return async (key, entry) => {
    await db.transaction().execute(async (tx) => {
      if (await inboxOnce(tx, "audit", key)) await appendAudit(tx, entry);
    });
  };
}
