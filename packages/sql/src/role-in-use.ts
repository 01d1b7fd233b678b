import pg from "pg";
import { verifierMatches } from "./role-password.ts";

/**
 * Whether the role can log in with the password of this url. What is stored is read where the administrator may, who then is a superuser; else the
 * role logs in.
 */
export async function passwordHolds(admin: pg.Client, role: string, roleUrl: string): Promise<boolean> {
  const verifier = await storedVerifier(admin, role);
  if (verifier !== undefined) return verifierMatches(verifier, decodeURIComponent(new URL(roleUrl).password));
  return await logsIn(roleUrl);
}

/** Undefined where the administrator is not a superuser, who alone may read it. */
async function storedVerifier(client: pg.Client, role: string): Promise<string | null | undefined> {
  try {
    const { rows } = await client.query<{ verifier: string | null }>(
      "select rolpassword as verifier from pg_authid where rolname = $1",
      [role],
    );
    return rows[0]?.verifier ?? null;
  } catch (error) {
    if ((error as { code?: string }).code === "42501") return undefined;
    throw error;
  }
}

async function logsIn(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    // Who may not use the database has been let in at the door.
    return (error as { code?: string }).code === "42501";
  } finally {
    await client.end().catch(() => {});
  }
}

/** The databases beside this one that a role was let into by name, as each database is prepared for its roles. */
export async function otherDatabases(client: pg.Client, role: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct datname as name from pg_database, aclexplode(datacl) as let
     where datname <> current_database() and let.privilege_type = 'CONNECT'
       and let.grantee = (select oid from pg_roles where rolname = $1)
     order by datname`,
    [role],
  );
  return rows.map(({ name }) => name);
}

/** Of another Slipway, which would be locked out. */
export function rolesTaken(where: string, roles: readonly string[], databases: readonly string[]): string {
  const theirs = databases.map(quoted).join(", ");
  return `${roles.join(", ")} at ${where} have other passwords than the credentials given here and are in use by the database ${theirs}: give this Slipway a Postgres server of its own or the credentials of that one, or, where ${theirs} is used no longer, drop it or run \`revoke connect on database ${theirs} from ${roles.join(", ")}\``;
}

/** As it is written in a statement. */
export const quoted = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : pg.escapeIdentifier(name));
