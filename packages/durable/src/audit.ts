import type { Instant } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";

export type AuditEntry = {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly at: Instant;
};

export type AuditVerdict =
  | { readonly kind: "intact"; readonly entries: number; readonly head: string }
  | { readonly kind: "broken"; readonly seq: number; readonly why: string };

export async function appendAudit<T>(tx: Tx<T>, entry: AuditEntry): Promise<void> {
  throw new Error(`not written yet: ${String(tx)} ${entry.action}`);
}

export async function verifyAudit<T>(db: Db<T>): Promise<AuditVerdict> {
  throw new Error(`not written yet: ${String(db)}`);
}
