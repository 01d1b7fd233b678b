import pg from "pg";
import { placeOf } from "./database-problem.ts";
import { otherDatabases, passwordHolds, rolesTaken } from "./role-in-use.ts";
import { scramVerifier } from "./role-password.ts";

/** Every service's role is a member: what all services may use (the bus) is granted to it. */
export const everyServiceRole = "slipway_service";

export function serviceRole(schema: string): string {
  return `slipway_${schema}`;
}

/**
 * The schema and its role. The role may log in, use its schema and read and write the rows there. It owns nothing, makes
 * no tables, and sees no other schema. Roles belong to the whole server: two databases migrated together meet here.
 */
export async function ensureSchema(client: pg.Client, schema: string, roleUrl: string | undefined): Promise<void> {
  const role = serviceRole(schema);
  await retryRace(async () => await ensureRole(client, everyServiceRole, "nologin"));
  await retryRace(async () => await ensureRole(client, role, "login"));
  await retryRace(async () => await ensureMembership(client, role));
  if (roleUrl !== undefined) await retryRace(async () => await ensurePassword(client, role, roleUrl));
  await retryRace(async () => await ensurePlace(client, schema, role));
}

async function ensureRole(client: pg.Client, role: string, login: "login" | "nologin"): Promise<void> {
  const { rowCount } = await client.query("select 1 from pg_roles where rolname = $1", [role]);
  if (rowCount === 0)
    await client.query(`create role ${pg.escapeIdentifier(role)} ${login} nosuperuser nocreatedb nocreaterole`);
}

async function ensureMembership(client: pg.Client, role: string): Promise<void> {
  const { rows } = await client.query<{ member: boolean }>("select pg_has_role($1, $2, 'member') as member", [
    role,
    everyServiceRole,
  ]);
  if (rows[0]?.member !== true)
    await client.query(`grant ${pg.escapeIdentifier(everyServiceRole)} to ${pg.escapeIdentifier(role)}`);
}

/** Never that of a role by which somebody else's services log in: they would be locked out. */
async function ensurePassword(client: pg.Client, role: string, roleUrl: string): Promise<void> {
  const url = new URL(roleUrl);
  if (decodeURIComponent(url.username) !== role) throw new Error(`the url's role is not ${role}`);
  const password = decodeURIComponent(url.password);
  if (password === "" || (await passwordHolds(client, role, roleUrl))) return;
  const others = await otherDatabases(client, role);
  // Meanwhile the other database's own `prepare` may have given the role this very password.
  if (others.length > 0 && (await passwordHolds(client, role, roleUrl))) return;
  if (others.length > 0) throw new Error(rolesTaken(placeOf(client), [role], others));
  await client.query(`alter role ${pg.escapeIdentifier(role)} password ${pg.escapeLiteral(scramVerifier(password))}`);
}

async function ensurePlace(client: pg.Client, schema: string, role: string): Promise<void> {
  const database = pg.escapeIdentifier(client.database ?? "");
  const [schemaName, roleName] = [pg.escapeIdentifier(schema), pg.escapeIdentifier(role)];
  await client.query(`
    create schema if not exists ${schemaName};
    revoke all on database ${database} from public;
    grant connect on database ${database} to ${roleName};
    revoke all on schema public from public;
    revoke all on schema ${schemaName} from public;
    grant usage on schema ${schemaName} to ${roleName};
    alter default privileges in schema ${schemaName} grant select, insert, update, delete on tables to ${roleName};
    alter default privileges in schema ${schemaName} grant usage, select, update on sequences to ${roleName};
  `);
}

/**
 * What the role may do with what is in its schema, and `extra`, statements that give others their part. A dump that was restored without them has
 * lost all of it, and what migrations granted once is not granted by them again. Sent as one query, which is a transaction: nobody has more or less
 * meanwhile. What somebody else has put into the schema is left to them.
 */
export async function ensureRights(client: pg.Client, schema: string, extra: readonly string[]): Promise<void> {
  const role = pg.escapeIdentifier(serviceRole(schema));
  await retryRace(async () => {
    const { rows } = await client.query<{ tables: string | null; sequences: string | null }>(
      `select string_agg(name, ', ') filter (where relkind <> 'S') as tables,
         string_agg(name, ', ') filter (where relkind = 'S') as sequences
       from (select relkind, format('%I.%I', $1::text, relname) as name from pg_class
         where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'v', 'S') and pg_has_role(relowner, 'usage')) as own`,
      [schema],
    );
    const { tables, sequences } = rows[0] ?? {};
    const own = [
      ...(tables ? [`grant select, insert, update, delete on table ${tables} to ${role};`] : []),
      ...(sequences ? [`grant usage, select, update on sequence ${sequences} to ${role};`] : []),
    ];
    await client.query([...own, ...extra].join("\n"));
  });
}

/** Two sessions that change the same catalogue row, or make the same role: the second is refused and simply asks again. */
async function retryRace(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const { code, message } = error as { code?: string; message?: string };
      const race =
        code === "23505" || code === "42710" || (code === "XX000" && /concurrently|tuple/.test(message ?? ""));
      if (!race || attempt === 20) throw error;
    }
  }
}
