import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Role } from "@slipway/contracts";
import type { Db, Logger } from "@slipway/sql";
import { sql } from "kysely";
import type { AccessTables } from "./token-rows.ts";
import { formatToken, parseToken } from "./tokens.ts";

export type TokenOwner = { readonly name: string; readonly roles: readonly Role[] };

/** The people's tokens that a first start makes, beside one per service. */
export const people: readonly TokenOwner[] = [
  { name: "admin", roles: ["admin"] },
  { name: "deployer", roles: ["deployer"] },
  { name: "approver", roles: ["approver"] },
  { name: "viewer", roles: ["viewer"] },
];

/**
 * One token per owner in `<folder>/<name>` (0600), known to the database. A file that is there is kept and registered (it may
 * be a mounted secret); a missing one is made. Safe to run in several processes at once.
 */
export async function ensureTokens(
  admin: Db<AccessTables>,
  folder: string,
  owners: readonly TokenOwner[],
  log: Logger,
): Promise<ReadonlyMap<string, string>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return await admin.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('slipway.access.tokens', 0))`.execute(tx);
    const tokens = new Map<string, string>();
    for (const owner of owners) {
      const file = join(folder, owner.name);
      const token = (await readToken(file)) ?? (await makeToken(file, owner, log));
      const parsed = parseToken(token);
      if (parsed === undefined) throw new Error(`${file} holds no whole token; remove it to have a new one made`);
      await tx
        .insertInto("access.token")
        .values({
          kid: parsed.kid,
          name: owner.name,
          roles: [...owner.roles],
          hash: parsed.hash,
          expires_at: null,
          revoked_at: null,
        })
        .onConflict((on) => on.column("kid").doNothing())
        .execute();
      tokens.set(owner.name, token);
    }
    return tokens;
  });
}

/** The tokens whose files are there, without asking the database. */
export async function readTokens(folder: string, owners: readonly TokenOwner[]): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(owners.map(async ({ name }) => [name, await readToken(join(folder, name))] as const));
  return new Map(found.flatMap(([name, token]) => (token === undefined ? [] : [[name, token] as const])));
}

async function readToken(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A token in its file, which the database does not know yet. One that is there is kept. */
export async function makeTokenFile(folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, name);
  if ((await readToken(file)) === undefined) await writeToken(file);
}

async function writeToken(file: string): Promise<string> {
  const token = formatToken(randomBytes(30));
  const partial = `${file}.partial`;
  await writeFile(partial, `${token}\n`, { mode: 0o600 });
  await rename(partial, file);
  return token;
}

async function makeToken(file: string, owner: TokenOwner, log: Logger): Promise<string> {
  const token = await writeToken(file);
  log.info({ name: owner.name, roles: owner.roles, file }, "token made");
  return token;
}
