import type { Instant } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import type { Generated } from "kysely";

export type TokenTable = {
  kid: string;
  name: string;
  roles: string[];
  hash: Buffer;
  created_at: Generated<Instant>;
  expires_at: Instant | null;
  revoked_at: Instant | null;
};

export type AccessTables = { "access.token": TokenTable };

export type TokenRow = {
  readonly name: string;
  readonly roles: readonly string[];
  readonly hash: Buffer;
  readonly expires_at: Instant | null;
  readonly revoked_at: Instant | null;
};

export async function findToken(db: Db<AccessTables>, kid: string): Promise<TokenRow | undefined> {
  return await db
    .selectFrom("access.token")
    .select(["name", "roles", "hash", "expires_at", "revoked_at"])
    .where("kid", "=", kid)
    .executeTakeFirst();
}
