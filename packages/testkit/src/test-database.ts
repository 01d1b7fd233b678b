import { createHash, randomBytes } from "node:crypto";
import { access, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Db, migrate, openDb, serviceRole, silentLogger } from "@slipway/sql";
import pg from "pg";
import type { PostgresUrls } from "./real/postgres-urls.ts";
import { keepRecorded, recordStates } from "./state-recorder.ts";
import { testServer } from "./test-server.ts";

export type TestDatabase = {
  /** A pool as the schema's own role. Closed by `close`. */
  db<T>(schema: string): Db<T>;
  /** As the schema's own role. */
  url(schema: string): string;
  readonly adminUrl: string;
  /** Closes the pools and keeps a copy of the database as it is now; whatever else is connected is cut off. */
  backup(): Promise<void>;
  /** Puts the copy back in the database's place, as a backup is restored: what came after it is gone. */
  restore(): Promise<void>;
  /** Closes the pools and drops the database. */
  close(): Promise<void>;
};

/**
 * A database of its own for one test file, cloned from a template with these schemas migrated. A schema's folders are
 * `migrations/durable` (not for `bus` and `access`) and `migrations/<schema>`; one without a folder has durable's only.
 */
export async function testDatabase(schemas: string | readonly string[]): Promise<TestDatabase> {
  const names = typeof schemas === "string" ? [schemas] : [...schemas];
  const server = await testServer();
  const template = await ensureTemplate(server, names);
  const database = `test_${randomBytes(6).toString("hex")}`;
  const clone = async (client: pg.Client, from: string) => {
    await client.query(`create database ${database} template ${from}`);
    // Rights on a database are not cloned with it.
    await client.query(`revoke all on database ${database} from public`);
    for (const name of names) await client.query(`grant connect on database ${database} to ${serviceRole(name)}`);
  };
  await asAdmin(server, (client) => clone(client, template));
  const record = process.env.SLIPWAY_RECORD_STATES;
  if (record !== undefined) for (const name of names) await recordStates(server.adminUrl(database), name);
  const pools = new Set<Db<never>>();
  const closePools = async () => {
    for (const pool of pools) await pool.destroy().catch(() => {});
    pools.clear();
  };
  const url = (schema: string): string => server.roleUrl(serviceRole(schema), database);
  return {
    adminUrl: server.adminUrl(database),
    url,
    db<T>(schema: string): Db<T> {
      const db = openDb<T>({ url: url(schema), schema });
      pools.add(db as unknown as Db<never>);
      return db;
    },
    async backup() {
      await closePools();
      await asAdmin(server, async (client) => {
        await client.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [database]);
        await client.query(`create database ${database}_backup template ${database}`);
      });
    },
    async restore() {
      await closePools();
      await asAdmin(server, async (client) => {
        await client.query(`drop database ${database} with (force)`);
        await clone(client, `${database}_backup`);
      });
    },
    async close() {
      await closePools();
      if (record !== undefined) for (const name of names) await keepRecorded(server.adminUrl(database), name, record);
      await asAdmin(server, async (client) => {
        await client.query(`drop database ${database} with (force)`);
        await client.query(`drop database if exists ${database}_backup with (force)`);
      });
    },
  };
}

const templates = new Map<string, Promise<string>>();

/** Made once a run for each set of schemas; the migrations' files are read once a process. Test files ask at the same time. */
function ensureTemplate(server: PostgresUrls, schemas: readonly string[]): Promise<string> {
  const key = schemas.join(",");
  const known = templates.get(key) ?? makeTemplate(server, schemas);
  templates.set(key, known);
  return known;
}

async function makeTemplate(server: PostgresUrls, schemas: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(schemas.join(","));
  for (const schema of schemas)
    for (const directory of await migrationDirectories(schema)) hash.update(await contents(directory));
  const template = `template_${hash.digest("hex").slice(0, 16)}`;
  await asAdmin(server, async (client) => {
    await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [template]);
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [template]);
    if (rowCount !== 0) return;
    const making = `${template}_new`;
    await client.query(`drop database if exists ${making} with (force)`);
    await client.query(`create database ${making}`);
    await migrateAll(server, making, schemas);
    await client.query(`alter database ${making} rename to ${template}`);
  });
  return template;
}

async function migrateAll(server: PostgresUrls, database: string, schemas: readonly string[]): Promise<void> {
  for (const schema of schemas) {
    await migrate({
      adminUrl: server.adminUrl(database),
      roleUrl: server.roleUrl(serviceRole(schema), database),
      schema,
      directories: await migrationDirectories(schema),
      log: silentLogger,
    });
  }
}

async function migrationDirectories(schema: string): Promise<string[]> {
  const root = join(await repositoryRoot(), "migrations");
  const own = join(root, schema);
  return schema === "bus" || schema === "access" ? [own] : [join(root, "durable"), own];
}

async function repositoryRoot(): Promise<string> {
  for (let directory = import.meta.dirname; directory !== "/"; directory = dirname(directory)) {
    const found = await access(join(directory, "pnpm-workspace.yaml")).then(
      () => true,
      () => false,
    );
    if (found) return directory;
  }
  throw new Error("testkit stands in no checkout");
}

async function contents(directory: string): Promise<string> {
  const names = await readdir(directory).catch(() => []);
  const files = await Promise.all(names.sort().map(async (name) => await readFile(join(directory, name), "utf8")));
  return JSON.stringify([directory, names, files]);
}

async function asAdmin(server: PostgresUrls, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: server.adminUrl("postgres"), connectionTimeoutMillis: 30_000 });
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}
