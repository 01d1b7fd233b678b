import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ordinaryUserPrefix, rolePassword } from "@slipway/sql";
import pg from "pg";
import { fileOf, type RealPart } from "./part.ts";
import type { PostgresUrls } from "./postgres-urls.ts";
import { type RealServer, startRealServer } from "./server.ts";

export type RealPostgres = RealServer & PostgresUrls;

const admin = "slipway_admin";
const quick = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum_naptime=5s"];
const like = ["max_connections=200", "shared_buffers=64MB", "timezone=UTC", "jit=off"];
const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", ...quick, ...like];

/** A Postgres server of its own, with an empty database `slipway`. Always a process: it belongs to another user than ours where we are root. */
export async function startPostgres(part: RealPart): Promise<RealPostgres> {
  const before = await ordinaryUserPrefix("");
  const secrets = (dir: string) => join(dir, "secrets");
  const cluster = (dir: string) => join(dir, "cluster");
  const server = await startRealServer(part, {
    before,
    args: ({ port, dir }) => ["-D", cluster(dir), "-p", String(port), ...settings.flatMap((each) => ["-c", each])],
    env: { LC_ALL: "C.UTF-8" },
    async prepare(dir) {
      rolePassword(secrets(dir), admin);
      const own = ["--auth=scram-sha-256", `--username=${admin}`, `--pwfile=${join(secrets(dir), admin)}`];
      const like = ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"];
      const [program = "", ...args] = [...before, fileOf(part, "initdb"), `--pgdata=${cluster(dir)}`, ...own, ...like];
      await promisify(execFile)(program, args, { env: { PATH: process.env.PATH, ...part.env, LC_ALL: "C.UTF-8" } });
    },
    answers: (port, dir) => query(urlsAt(port, secrets(dir)).adminUrl("postgres"), "select 1"),
  });
  const urls = urlsAt(server.port, secrets(server.dir));
  await query(urls.adminUrl("postgres"), "create database slipway");
  return { ...server, ...urls };
}

function urlsAt(port: number, secrets: string): PostgresUrls {
  const url = (role: string, database: string) =>
    `postgres://${role}:${rolePassword(secrets, role)}@127.0.0.1:${port}/${database}`;
  return {
    adminUrl: (database = "slipway") => url(admin, database),
    roleUrl: (role, database = "slipway") => url(role, database),
  };
}

async function query(url: string, text: string): Promise<true> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query(text);
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}
