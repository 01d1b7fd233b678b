import pg from "pg";
import type { Logger } from "./logger.ts";
import {
  type AppliedMigration,
  type MigrationFile,
  planMigrations,
  readMigrations,
  readRights,
} from "./migration-files.ts";
import { ensureRights, ensureSchema } from "./roles.ts";
import { beginSession } from "./session.ts";

export type MigrateOptions = {
  /** Of someone who may make roles and schemas. Used for nothing else. */
  readonly adminUrl: string;
  readonly schema: string;
  /** Folders with `NNNN_*.sql`, run in this order, and with `rights.sql`, run each time. A folder that does not exist counts as empty. */
  readonly directories: readonly string[];
  readonly log: Logger;
  /** With what the service will log in: its role gets the password of this url. Without it the role has no password. */
  readonly roleUrl?: string;
};

const lockPatienceMs = 60_000;

/**
 * Makes the schema and its role `slipway_<schema>`, then runs what is new, each file in a transaction of its own with the
 * schema as its search path. Each time it also gives back the rights of the schema's role and those of `rights.sql`, whoever has taken them. Two callers on one schema: the second waits up to 60 s. Throws on a changed file, on a file
 * put before an applied one, and on a schema that a newer program has changed in a breaking way.
 */
export async function migrate({ adminUrl, schema, directories, log, roleUrl }: MigrateOptions): Promise<void> {
  if (!/^[a-z][a-z0-9_]*$/.test(schema)) throw new Error(`not a schema name: ${schema}`);
  const files = (await Promise.all(directories.map(readMigrations))).flat();
  const client = new pg.Client({
    connectionString: adminUrl,
    connectionTimeoutMillis: 20_000,
    application_name: `slipway-migrate-${schema}`,
  });
  client.on("error", (error) => log.warn({ err: error, schema }, "the migrating connection broke"));
  try {
    await client.connect();
    const settings = { search_path: schema, lock_timeout: String(lockPatienceMs), timezone: "UTC" };
    await beginSession(client, adminUrl, settings);
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [`slipway.migrate.${schema}`]);
    await ensureSchema(client, schema, roleUrl);
    const { pending, unknown } = planMigrations(schema, files, await readApplied(client));
    if (unknown.length > 0)
      log.warn({ schema, unknown: unknown.length }, "the schema has newer, compatible migrations");
    for (const file of pending) {
      await apply(client, file);
      log.info({ schema, source: file.source, name: file.name }, "migration applied");
    }
    await ensureRights(client, schema, await Promise.all(directories.map(readRights)));
  } finally {
    await client.end();
  }
}

async function readApplied(client: pg.Client): Promise<AppliedMigration[]> {
  await client.query(`
    create table if not exists schema_migration (
      source text not null, name text not null, checksum text not null, breaking boolean not null,
      applied_at timestamptz not null default clock_timestamp(), primary key (source, name)
    )`);
  const { rows } = await client.query<AppliedMigration>(
    "select source, name, checksum, breaking from schema_migration",
  );
  return rows;
}

async function apply(client: pg.Client, file: MigrationFile): Promise<void> {
  await client.query("begin");
  try {
    await client.query(file.text);
    await client.query("insert into schema_migration (source, name, checksum, breaking) values ($1, $2, $3, $4)", [
      file.source,
      file.name,
      file.checksum,
      file.breaking,
    ]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${file.source}/${file.name}: ${why}`, { cause: error });
  }
}
