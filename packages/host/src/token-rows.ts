import type { Instant } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import { type Generated, sql } from "kysely";

export type TokenTable = {
  kid: string;
  name: string;
  roles: string[];
  hash: Buffer;
  created_at: Generated<Instant>;
  expires_at: Instant | null;
  revoked_at: Instant | null;
};

export type AccessTables = { "access.token": TokenTable; "access.installation": { id: string } };

export type TokenRow = {
  readonly name: string;
  readonly roles: readonly string[];
  readonly hash: Buffer;
  /** From the moment of the answer on, by the clock of the database; null: never. */
  readonly expires_in_ms: number | null;
  readonly revoked_at: Instant | null;
};

export async function findToken(db: Db<AccessTables>, kid: string): Promise<TokenRow | undefined> {
  return await db
    .selectFrom("access.token")
    .select(["name", "roles", "hash", "revoked_at"])
    .select(sql<number | null>`(extract(epoch from expires_at - clock_timestamp()) * 1000)::float8`.as("expires_in_ms"))
    .where("kid", "=", kid)
    .executeTakeFirst();
}

/** Which Slipway this database is of. Undefined where it does not say: it is away, or was prepared by an older release. */
export async function findInstallation(db: Db<AccessTables>): Promise<string | undefined> {
  try {
    return (await db.selectFrom("access.installation").select("id").executeTakeFirst())?.id;
  } catch {
    return undefined;
  }
}
