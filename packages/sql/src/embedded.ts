import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import type { Logger } from "./logger.ts";
import { ordinaryUserPrefix } from "./ordinary-user.ts";
import { findBinaries } from "./postgres-binaries.ts";
import {
  adminRole,
  answers,
  type Durability,
  ensureCluster,
  pause,
  spawnServer,
  stopServer,
  type Way,
} from "./postgres-server.ts";
import { findPostmaster, isRunning, removeForeignLock } from "./postmaster-file.ts";
import { rolePassword } from "./role-password.ts";
import { socketDirectory } from "./socket-directory.ts";

export type EmbeddedOptions = {
  /** The platform's data folder: the cluster lives in `postgres/`, the passwords in `secrets/postgres/` beneath it. */
  readonly dataDir: string;
  readonly durability: Durability;
  readonly log: Logger;
};

export type PostgresUrls = {
  /** Of the superuser; for migrating only. Database: default `slipway`. */
  adminUrl(database?: string): string;
  /** Of a role, with its own password, which is made at the first asking. The role itself is made by `migrate`. */
  roleUrl(role: string, database?: string): string;
};

export type EmbeddedPostgres = PostgresUrls & {
  readonly pid: number;
  /** True: the server ran already and was taken over. */
  readonly adopted: boolean;
  /** Fast shutdown; resolves when the server is gone. */
  stop(): Promise<void>;
};

type Place = { readonly cluster: string; readonly secrets: string; readonly sockets: string };
type Running = { readonly pid: number; readonly sockets: string; readonly adopted: boolean };

/**
 * Starts the data folder's Postgres, or takes over the one that runs there. It listens on a Unix socket only, in a folder
 * that only we may enter, and every role has a password. Rejects after 60 s (recovery after a crash takes its time).
 */
export async function startEmbeddedPostgres({ dataDir, durability, log }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const place = await placeOf(dataDir);
  rolePassword(place.secrets, adminRole);
  const running = await findOrStart(place, durability, log);
  const urls = urlsAt(place, running.sockets);
  await ensureDatabase(urls.adminUrl("postgres"), "slipway");
  log.info({ pid: running.pid, adopted: running.adopted, cluster: place.cluster }, "embedded Postgres is ready");
  return {
    ...urls,
    pid: running.pid,
    adopted: running.adopted,
    stop: async () => await stopServer(running.pid),
  };
}

/** Where the data folder's Postgres answers when somebody runs it. Starts nothing and waits for nothing: for processes that live without it too. */
export async function embeddedPostgresAt(dataDir: string): Promise<PostgresUrls> {
  const place = await placeOf(dataDir);
  const running = await findPostmaster(place.cluster);
  return urlsAt(place, running?.socketDirectory ?? place.sockets);
}

async function placeOf(dataDir: string): Promise<Place> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const root = await realpath(dataDir);
  return {
    cluster: join(root, "postgres"),
    secrets: join(root, "secrets", "postgres"),
    sockets: await socketDirectory(root),
  };
}

function urlsAt({ secrets }: Place, sockets: string): PostgresUrls {
  const url = (role: string, database: string) => socketUrl(sockets, role, rolePassword(secrets, role), database);
  return {
    adminUrl: (database = "slipway") => url(adminRole, database),
    roleUrl: (role, database = "slipway") => url(role, database),
  };
}

async function findOrStart(place: Place, durability: Durability, log: Logger): Promise<Running> {
  const deadline = performance.now() + 60_000;
  const running = await adopt(place, deadline, log);
  if (running !== undefined) return running;
  const way = { binaries: await findBinaries(), prefix: await ordinaryUserPrefix(place.cluster), durability };
  await ensureCluster(place.cluster, way, join(place.secrets, adminRole));
  if (await removeForeignLock(place.cluster))
    log.warn({ cluster: place.cluster }, "removed the lock file of a dead server");
  return await startUntilReady(place, way, deadline, log);
}

/** A server that does not answer in 10 s, although it runs, is stopped. */
async function adopt(place: Place, deadline: number, log: Logger): Promise<Running | undefined> {
  const found = await findPostmaster(place.cluster);
  if (found === undefined) return undefined;
  const url = adminUrlAt(place, found.socketDirectory);
  const patience = Math.min(deadline, performance.now() + 10_000);
  while (performance.now() < patience && (await isRunning(found.pid))) {
    if (await answers(url)) return { pid: found.pid, sockets: found.socketDirectory, adopted: true };
    await pause(50);
  }
  if (await isRunning(found.pid)) {
    log.warn({ pid: found.pid }, "Postgres runs but does not answer: stopping it");
    await stopServer(found.pid);
  }
  return undefined;
}

/**
 * After a kill -9 of the server its children hold the shared memory for some seconds, and each start fails until they are
 * gone; another process may also start the same cluster. So: start, and while it ends by itself, look and start again.
 */
async function startUntilReady(place: Place, way: Way, deadline: number, log: Logger): Promise<Running> {
  const retryUntil = performance.now() + 5_000;
  for (;;) {
    const server = await spawnServer(place.cluster, place.sockets, way);
    const outcome = await Promise.race([server.exited, untilReady(place, server.pid, deadline)]);
    if (outcome === "ready") return { pid: server.pid, sockets: place.sockets, adopted: false };
    if (outcome === "late") {
      await stopServer(server.pid);
      throw new Error(`Postgres did not answer within 60 s; see ${join(place.cluster, "server.log")}`);
    }
    const other = await adopt(place, deadline, log);
    if (other !== undefined) return other;
    if (!/still in use|lock file/.test(outcome) || performance.now() > retryUntil)
      throw new Error(`Postgres did not start: ${outcome.trim()}`);
    await pause(100);
  }
}

async function untilReady(place: Place, pid: number, deadline: number): Promise<"ready" | "late"> {
  const url = adminUrlAt(place, place.sockets);
  while (performance.now() < deadline) {
    const owner = await findPostmaster(place.cluster);
    if (owner?.pid === pid && (await answers(url))) return "ready";
    if (!(await isRunning(pid))) return await new Promise<never>(() => {});
    await pause(20);
  }
  return "late";
}

async function ensureDatabase(url: string, database: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000, query_timeout: 30_000 });
  try {
    await client.connect();
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [database]);
    if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(database)}`);
  } catch (error) {
    const code = (error as { code?: string }).code;
    // duplicate_database, or its unique index: another process was first.
    if (code !== "42P04" && code !== "23505") throw error;
  } finally {
    await client.end();
  }
}

function adminUrlAt(place: Place, sockets: string): string {
  return socketUrl(sockets, adminRole, rolePassword(place.secrets, adminRole), "postgres");
}

/** `localhost` only fills the place that url parsers want; `host` in the query is what counts, here as in libpq. */
function socketUrl(sockets: string, role: string, password: string, database: string): string {
  return `postgres://${role}:${password}@localhost/${database}?host=${encodeURIComponent(sockets)}`;
}
