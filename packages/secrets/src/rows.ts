import type { Instant } from "@slipway/kernel";
import type { Db, Tx } from "@slipway/sql";
import { sql } from "kysely";
import type { Sealed } from "./keyring.ts";
import type { Scope } from "./missing.ts";

/** The table that each owner's schema has, as this package writes it. */
export type SecretTables = {
  secret_value: {
    service: string;
    scope: string;
    name: string;
    revision: string;
    key_id: string;
    box: Buffer;
    set_by: string;
    set_at: Instant;
    /** Null for the value that is given out. */
    replaced_at: Instant | null;
  };
};
export type SecretRow = SecretTables["secret_value"];

/** A service's own database type names its own tables only; this one stands beside them. */
export function secretTables<T>(db: Db<T>): Db<SecretTables> {
  return db as unknown as Db<SecretTables>;
}

export const sealedOf = ({ key_id: keyId, box }: SecretRow): Sealed => ({ keyId, box });

/** One writer of a secret at a time, until the end of the transaction. */
export async function lockSecret(tx: Tx<SecretTables>, { service, scope }: Scope, name: string): Promise<void> {
  const what = `slipway.secret ${service} ${scope} ${name}`;
  await sql`select pg_advisory_xact_lock(hashtextextended(${what} || current_schema(), 0))`.execute(tx);
}

/** Values that are given out, of one scope or of all, by scope and name. */
export async function presentRows(
  db: Db<SecretTables> | Tx<SecretTables>,
  { service, scope, names }: { service: string; scope?: string; names?: readonly string[] },
): Promise<SecretRow[]> {
  let query = db.selectFrom("secret_value").selectAll().where("service", "=", service).where("replaced_at", "is", null);
  if (scope !== undefined) query = query.where("scope", "=", scope);
  if (names !== undefined) query = query.where("name", "in", [...names]);
  return query.orderBy("scope").orderBy("name").execute();
}

/** Every kept value of these names, or of all, replaced ones too. */
export async function keptRows(db: Db<SecretTables>, { service, scope }: Scope, names?: readonly string[]) {
  if (names?.length === 0) return [];
  const all = db.selectFrom("secret_value").selectAll().where("service", "=", service).where("scope", "=", scope);
  return (names === undefined ? all : all.where("name", "in", [...names])).execute();
}

/** Forgets values that were replaced before `before`. */
export async function dropReplaced(db: Db<SecretTables> | Tx<SecretTables>, before: Instant): Promise<void> {
  await db.deleteFrom("secret_value").where("replaced_at", "<", before).execute();
}
