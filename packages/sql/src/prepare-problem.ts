import type pg from "pg";
import { asked, type DatabaseQuestion, placeOf } from "./database-problem.ts";
import { otherDatabases, passwordHolds, quoted, rolesTaken } from "./role-in-use.ts";
import { everyServiceRole, serviceRole } from "./roles.ts";

export type PrepareQuestion = DatabaseQuestion & {
  /** Each with what its role will log in with; undefined where nobody knows yet. */
  readonly schemas: readonly { readonly schema: string; readonly roleUrl: string | undefined }[];
};

type Administrator = {
  readonly me: string;
  readonly database: string;
  readonly superuser: boolean;
  readonly makesRoles: boolean;
  readonly makesSchemas: boolean;
  readonly version: number;
};

/** What keeps this administrator from preparing these schemas, a sentence each. Changes nothing and never rejects. */
export async function prepareProblems(about: PrepareQuestion): Promise<readonly string[]> {
  return await asked(about, async (client) => {
    const admin = await administrator(client);
    if (admin === undefined) return [];
    const where = placeOf(client);
    const asSuperuser = "as a superuser of that server";
    const { me, database } = admin;
    const lacks = [
      ...(admin.makesRoles
        ? []
        : [`${me} may not make roles at ${where}: ${asSuperuser}, run \`alter role ${quoted(me)} createrole\``]),
      ...(admin.makesSchemas
        ? []
        : [
            `${me} may not make schemas in the database ${database} at ${where}, which another role owns: ${asSuperuser}, run \`alter database ${quoted(database)} owner to ${quoted(me)}\`, or name another database in ${about.urlIn}`,
          ]),
    ];
    return [...lacks, ...(await ownerProblems(client, about, admin)), ...(await roleProblems(client, about, admin))];
  });
}

async function administrator(client: pg.Client): Promise<Administrator | undefined> {
  const { rows } = await client.query<Administrator>(`
    select current_user as me, datname as database, rolsuper as superuser, rolsuper or rolcreaterole as "makesRoles",
      has_database_privilege(d.oid, 'create') as "makesSchemas", current_setting('server_version_num')::int / 10000 as version
    from pg_roles r, pg_database d where rolname = current_user and datname = current_database()`);
  return rows[0];
}

/** What was restored by somebody else: then the schema or its first table is theirs. What others have put beside them is no matter. */
async function ownerProblems(client: pg.Client, { schemas, urlIn }: PrepareQuestion, { me }: Administrator) {
  const { rows } = await client.query<{ schema: string; owner: string }>(
    `select nspname as schema, min(pg_get_userbyid(owner)) as owner
     from (select oid, nspowner from pg_namespace
       union all select relnamespace, relowner from pg_class where relname = 'schema_migration') as thing (place, owner)
     join pg_namespace n on n.oid = place
     where nspname = any($1::text[]) and not pg_has_role(owner, 'usage') group by nspname order by nspname`,
    [schemas.map(({ schema }) => schema)],
  );
  return rows.map(
    ({ schema, owner }) =>
      `what is in the schema ${schema} belongs to ${owner}, not to ${me}: restore it with \`pg_restore --no-owner --no-acl --role=${quoted(me)}\`, or give the login of ${owner} in ${urlIn}`,
  );
}

/** Roles belong to the whole server: somebody may have made them before, and log in with them. */
async function roleProblems(
  client: pg.Client,
  { schemas }: PrepareQuestion,
  { me, superuser, makesRoles, version }: Administrator,
): Promise<readonly string[]> {
  const where = placeOf(client);
  const taken = new Map<string, readonly string[]>();
  const foreign: string[] = [];
  // Before 16 whoever may make roles may change all but superusers; who may make none has been told so.
  const all = superuser || !makesRoles || version < 16;
  const mayChange = async (role: string) => all || (await isMine(client, role));
  for (const { schema, roleUrl } of schemas) {
    const role = serviceRole(schema);
    if (!(await exists(client, role)) || roleUrl === undefined || (await passwordHolds(client, role, roleUrl)))
      continue;
    const others = await lockedOut(client, role, roleUrl);
    if (others === undefined) continue;
    if (others.length > 0) taken.set(role, others);
    else if (!(await mayChange(role))) foreign.push(role);
  }
  const roles = schemas.map(({ schema }) => serviceRole(schema));
  if ((await outsiders(client, roles)) > 0 && !(await mayChange(everyServiceRole))) foreign.push(everyServiceRole);
  const databases = [...new Set([...taken.values()].flat())];
  return [
    ...(taken.size === 0 ? [] : [rolesTaken(where, [...taken.keys()], databases)]),
    ...(foreign.length === 0
      ? []
      : [
          `${me} may not change ${foreign.join(", ")} at ${where}, which another role has made: as a superuser of that server, run \`grant ${foreign.join(", ")} to ${quoted(me)} with admin option\``,
        ]),
  ];
}

/** The other databases that let in the role, which has another password; undefined where it has this one by now. */
async function lockedOut(client: pg.Client, role: string, roleUrl: string): Promise<readonly string[] | undefined> {
  const others = await otherDatabases(client, role);
  // Meanwhile the other database's own `prepare` may have given the role this very password.
  return others.length > 0 && (await passwordHolds(client, role, roleUrl)) ? undefined : others;
}

async function exists(client: pg.Client, role: string): Promise<boolean> {
  return (await client.query("select 1 from pg_roles where rolname = $1", [role])).rowCount === 1;
}

/** Made by this administrator, or given to it with this right; one that is not there will be. */
async function isMine(client: pg.Client, role: string): Promise<boolean> {
  const { rows } = await client.query<{ mine: boolean }>(
    "select pg_has_role(oid, 'member with admin option') as mine from pg_roles where rolname = $1",
    [role],
  );
  return rows[0]?.mine ?? true;
}

/** How many of these roles are not in `slipway_service` yet. */
async function outsiders(client: pg.Client, roles: readonly string[]): Promise<number> {
  const { rows } = await client.query<{ members: number }>(
    `select count(*)::int as members from pg_auth_members m join pg_roles r on r.oid = m.member
     where r.rolname = any($1::text[]) and m.roleid = (select oid from pg_roles where rolname = $2)`,
    [roles, everyServiceRole],
  );
  return roles.length - (rows[0]?.members ?? 0);
}
