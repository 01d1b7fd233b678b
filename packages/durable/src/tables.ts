import type { Instant } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import type { Generated } from "kysely";

/** The tables of `migrations/durable` as this package writes them. */
export type DurableTables = {
  machine: {
    kind: string;
    id: string;
    phase: string;
    state: unknown;
    version: number;
    generation: number;
    format: Generated<number>;
    created_at: Instant;
    updated_at: Instant;
  };
  command: {
    seq: Generated<number>;
    kind: string;
    id: string;
    lane: string | null;
    generation: number;
    survives: boolean;
    timer: boolean;
    urgent: Generated<boolean>;
    payload: unknown;
    run_after: Instant;
    attempts: Generated<number>;
    last_reason: Generated<string | null>;
    holder: Generated<string | null>;
    leased_until: Generated<Instant | null>;
    created_at: Instant;
  };
  audit: {
    seq: number;
    at: Instant;
    actor: string;
    action: string;
    subject: string;
    detail: unknown;
    prev_hash: string;
    hash: string;
  };
};

export type DurableDb = Db<DurableTables>;
export type DurableTx = Tx<DurableTables>;

/** A service's own database type names its own tables only; these stand beside them in the same schema. */
export function durableTables<T>(db: Db<T>): DurableDb {
  return db as unknown as DurableDb;
}

export function durableTransaction<T>(tx: Tx<T>): DurableTx {
  return tx as unknown as DurableTx;
}
