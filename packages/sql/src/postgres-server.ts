import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { access, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { type Binaries, postgresEnvironment, run } from "./postgres-binaries.ts";
import { isRunning } from "./postmaster-file.ts";

export const adminRole = "slipway_admin";

const settings = [
  "listen_addresses=",
  "unix_socket_permissions=0700",
  "max_connections=200",
  "shared_buffers=64MB",
  "max_wal_size=512MB",
  "timezone=UTC",
  "jit=off",
  // Processes that this cluster has no work for: its data is in memory or read in small pieces, and nobody replicates it.
  "io_method=sync",
  "max_logical_replication_workers=0",
  "log_min_messages=warning",
  "log_line_prefix=%m [%p] %a ",
  "log_statement=none",
];
const withoutSafety = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum_naptime=5s"];

/** "test" trades crash safety for speed and lets the server end with the process that started it. */
export type Durability = "full" | "test";

/** How to run a cluster: the programs, what stands before them where we are root, and how safely. */
export type Way = {
  readonly binaries: Binaries;
  readonly prefix: readonly string[];
  readonly durability: Durability;
};

/** Makes the cluster beside its place and moves it there when finished: a killed initdb leaves no half one in its place. */
export async function ensureCluster(cluster: string, way: Way, passwordFile: string): Promise<void> {
  if (await exists(join(cluster, "PG_VERSION"))) return;
  const fresh = `${cluster}.new-${randomBytes(6).toString("hex")}`;
  const { code, output } = await run(
    [
      ...way.prefix,
      way.binaries.initdb,
      `--pgdata=${fresh}`,
      `--username=${adminRole}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C.UTF-8",
      "--no-instructions",
      ...(way.durability === "test" ? ["--no-sync"] : []),
    ],
    60_000,
  );
  if (code !== 0) {
    await rm(fresh, { recursive: true, force: true });
    throw new Error(`initdb failed (${code}): ${output.trim()}`);
  }
  await rename(fresh, cluster).catch(async (error: NodeJS.ErrnoException) => {
    await rm(fresh, { recursive: true, force: true });
    // Another process was first; its cluster is as good.
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
}

export type ServerProcess = { readonly child: ChildProcess; readonly pid: number; readonly exited: Promise<string> };

/** Starts the server in a session of its own: it outlives us (except in tests) and does not see our Ctrl-C. */
export async function spawnServer(cluster: string, sockets: string, way: Way): Promise<ServerProcess> {
  const logPath = join(cluster, "server.log");
  const log = await open(logPath, "a", 0o600);
  const { size } = await log.stat();
  const forTests = way.durability === "test";
  const chosen = forTests ? [...settings, ...withoutSafety] : settings;
  const server = [
    way.binaries.postgres,
    "-D",
    cluster,
    "-k",
    sockets,
    "-p",
    "5432",
    ...chosen.flatMap((s) => ["-c", s]),
  ];
  const leashed = forTests && (await exists("/usr/bin/setpriv")) ? ["/usr/bin/setpriv", "--pdeathsig", "INT"] : [];
  const [file = "", ...args] = [...way.prefix, ...leashed, ...server];
  try {
    const child = spawn(file, args, {
      cwd: "/",
      env: postgresEnvironment,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    const exited = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", () => {
        void readFile(logPath).then(
          (text) => resolve(text.subarray(size).toString().slice(-2_000)),
          () => resolve("its log is gone"),
        );
      });
    });
    child.unref();
    return { child, pid: child.pid ?? 0, exited };
  } finally {
    await log.close();
  }
}

/** True once the server answers with our password within the time. */
export async function answers(url: string, timeoutMs = 2_000): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Fast shutdown; after 15 s an immediate one. */
export async function stopServer(pid: number): Promise<void> {
  for (const [signal, patienceMs] of [
    ["SIGINT", 15_000],
    ["SIGQUIT", 5_000],
  ] as const) {
    if (!(await isRunning(pid))) return;
    process.kill(pid, signal);
    const deadline = performance.now() + patienceMs;
    while (performance.now() < deadline) {
      if (!(await isRunning(pid))) return;
      await pause(20);
    }
  }
  throw new Error(`Postgres (pid ${pid}) did not stop`);
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
