import { certificateTrouble } from "@slipway/kernel";
import pg from "pg";
import { type AppliedMigration, type MigrationFile, planMigrations, readMigrations } from "./migration-files.ts";
import { takesNoWrites } from "./read-only.ts";
import { requireOwnSession, SessionsShared } from "./session.ts";

export type DatabaseQuestion = {
  readonly url: string;
  /** The variable or file in which a person corrects it, e.g. `SLIPWAY_DATABASE_URL`. */
  readonly urlIn: string;
  readonly passwordIn: string;
  readonly timeoutMs?: number;
};

type Code = string | undefined;
type Remedy = (about: DatabaseQuestion, where: string, database: string, user: string) => string;

/** By SQLSTATE or by the code of the socket. Postgres's own words hold neither password nor query. */
const remedies: readonly (readonly [RegExp, Remedy])[] = [
  [/^28/, ({ passwordIn }, where, _, user) => `Postgres at ${where} does not let ${user} in: correct ${passwordIn}`],
  [
    /^3D000$/,
    ({ urlIn }, where, database) =>
      `there is no database ${database} at ${where}: create it, or name another in ${urlIn}`,
  ],
  [
    /^42501$/,
    ({ urlIn }, where, database, user) =>
      `${user} may not use the database ${database} at ${where}: grant it CONNECT, or correct ${urlIn}`,
  ],
  [
    /^53300$/,
    (_, where) => `Postgres at ${where} has no connection left: raise max_connections, or run fewer processes`,
  ],
  [/^57P0/, (_, where) => `Postgres at ${where} is starting or stopping`],
  [/^ECONNREFUSED$/, ({ urlIn }, where) => `nothing listens at ${where}: start Postgres, or correct ${urlIn}`],
  [/^(ENOTFOUND|EAI_AGAIN)$/, ({ urlIn }, where) => `the host of ${where} is not known: correct ${urlIn}`],
];

/** What keeps this login from being used, as a sentence that says what to do; undefined: nothing. Never rejects. */
export async function databaseProblem(about: DatabaseQuestion): Promise<string | undefined> {
  return (await asked(about, async () => []))[0];
}

/**
 * The same, and whether the schema is as this program needs it: read under the service's own role, which changes nothing.
 * `prepareWith`: the command that prepares it.
 */
export async function schemaProblem(
  about: DatabaseQuestion & {
    readonly schema: string;
    readonly directories: readonly string[];
    readonly prepareWith: string;
  },
): Promise<string | undefined> {
  const files = (await Promise.all(about.directories.map(readMigrations))).flat();
  const problems = await asked(about, async (client) => {
    const remedy = `run ${about.prepareWith} with the version that is to run`;
    const applied = await readApplied(client, about.schema);
    if (applied === undefined) return [`the database has no schema ${about.schema} for this service: ${remedy}`];
    const pending = pendingOf(about.schema, files, applied);
    if (typeof pending === "string") return [pending];
    return pending === 0 ? [] : [`schema ${about.schema} lacks ${pending} migrations: ${remedy}`];
  });
  return problems[0];
}

function pendingOf(schema: string, files: readonly MigrationFile[], applied: AppliedMigration[]): number | string {
  try {
    return planMigrations(schema, files, applied).pending.length;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Undefined: there is no such schema, or it is not this role's. */
async function readApplied(client: pg.Client, schema: string): Promise<AppliedMigration[] | undefined> {
  try {
    const { rows } = await client.query<AppliedMigration>(
      `select source, name, checksum, breaking from ${pg.escapeIdentifier(schema)}.schema_migration`,
    );
    return rows;
  } catch (error) {
    if (["42P01", "3F000", "42501"].includes((error as { code?: string }).code ?? "")) return undefined;
    throw error;
  }
}

/** Logs in and asks; why it cannot is an answer, too. */
export async function asked(
  about: DatabaseQuestion,
  work: (client: pg.Client) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const timeoutMs = about.timeoutMs ?? 3_000;
  const client = new pg.Client({
    connectionString: about.url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: "slipway-check",
  });
  client.on("error", () => {});
  try {
    await client.connect();
    await requireOwnSession(client, about.url);
    const problem = await serverProblem(about, client);
    return problem === undefined ? await work(client) : [problem];
  } catch (error) {
    return [sentence(about, client, error)];
  } finally {
    await client.end().catch(() => {});
  }
}

/** What the migrations and queries of all services were written for. */
const oldest = 15;

/** What no login and no right could mend. */
async function serverProblem({ urlIn }: DatabaseQuestion, client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ version: string; encoding: string; replica: boolean; only_read: boolean }>(
    `select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding, ${takesNoWrites}`,
  );
  const { version, encoding, replica, only_read: onlyRead } = rows[0] ?? {};
  const major = Math.floor(Number(version) / 10_000);
  const where = placeOf(client);
  if (major < oldest)
    return `Postgres at ${where} is version ${major}: upgrade it to ${oldest} or newer, or name another in ${urlIn}`;
  if (encoding !== "UTF8")
    return `the database ${client.database ?? ""} at ${where} keeps its text as ${encoding}, which has not every character that a build prints: make one of UTF8 (\`create database … encoding 'UTF8' template template0\`), and name it in ${urlIn}`;
  if (replica === true)
    return `Postgres at ${where} is a replica, which takes no writes: name the primary, or an address that follows it, in ${urlIn}`;
  if (onlyRead === true)
    return `Postgres at ${where} takes no writes (default_transaction_read_only is on for ${client.user ?? ""} in ${client.database ?? ""}): find out why that was set, as by a host whose disk is full, and switch it off, or name another in ${urlIn}`;
  return undefined;
}

export const placeOf = ({ host, port }: pg.Client) => (host.startsWith("/") ? host : `${host}:${port}`);

function sentence(about: DatabaseQuestion, client: pg.Client, error: unknown): string {
  const where = placeOf(client);
  if (error instanceof SessionsShared)
    return `the pooler at ${where} keeps no sessions, so that statements of others come between: let it keep them (pool_mode = session), or name Postgres itself in ${about.urlIn}`;
  const [code, words] = firstOf(error);
  // Postgres has codes of its own for these.
  if (code === "08P01" && /authentication failed|no such user/i.test(words))
    return `the pooler at ${where} does not let ${client.user ?? ""} in (${words}): tell it each role of Slipway (auth_query), or correct ${about.passwordIn}`;
  const remedy = remedies.find(([pattern]) => pattern.test(code ?? ""))?.[1];
  if (remedy !== undefined) return remedy(about, where, client.database ?? "", client.user ?? "");
  const untrusted = certificateTrouble(error, {
    certificate: `the certificate of Postgres at ${where}`,
    rename: `name it in ${about.urlIn} as its certificate does`,
    trust: `give its authority to this process (NODE_EXTRA_CA_CERTS), or correct ${about.urlIn}`,
  });
  if (untrusted !== undefined) return untrusted;
  if (/timeout|timed out|terminated/i.test(words))
    return `nothing answers in time as Postgres at ${where}: start it, or correct ${about.urlIn}`;
  if (/SSL|TLS|certificate/i.test(words))
    return `no TLS connection with Postgres at ${where} can be made (${words}): say sslmode= in ${about.urlIn}`;
  return `Postgres at ${where} cannot be used (${words}): correct ${about.urlIn}`;
}

/** Several addresses of one name fail together: the first one speaks for all. */
function firstOf(error: unknown): readonly [Code, string] {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(one instanceof Error)) return [undefined, String(one)];
  return ["code" in one && typeof one.code === "string" ? one.code : undefined, one.message];
}
