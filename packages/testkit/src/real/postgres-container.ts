import { existsSync } from "node:fs";
import { chown, readdir, readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { answers, silentLogger, startEmbeddedPostgres } from "@slipway/sql";
import { until } from "../until.ts";
import { runContainer } from "./container.ts";
import { freePort } from "./free-ports.ts";
import { atPort } from "./postgres-urls.ts";

/** Debian's `nobody`: Postgres does not run as root. */
const nobody = 65_534;
const quick = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum_naptime=5s"];
const like = ["max_connections=200", "shared_buffers=64MB", "max_wal_size=512MB", "timezone=UTC", "jit=off"];

/**
 * The run's database server in a container: the very Postgres that would run without it, on a cluster that it has made by itself before. It
 * listens on a port of the loopback in place of a socket, whose folder would have to be another user's.
 */
export async function startContainerPostgres(
  dataDir: string,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const maker = await startEmbeddedPostgres({ dataDir, durability: "test", log: silentLogger });
  const program = await readlink(`/proc/${maker.pid}/exe`);
  const first = maker.adminUrl();
  await maker.stop();

  const cluster = join(dataDir, "postgres");
  const root = process.getuid?.() === 0;
  if (root) await giveAway(cluster);
  const native = dirname(dirname(program));
  // Of the cluster; some machines have it inside of their libraries.
  const locale = ["/usr/lib/locale/C.utf8"].filter((path) => existsSync(path));
  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", ...quick, ...like];
  const running = await runContainer(
    { name: "postgres", programs: [program], also: [join(native, "lib"), join(native, "share"), ...locale], env: {} },
    {
      args: ["-D", "/cluster", "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      env: { LC_ALL: "C.UTF-8" },
      dir: "/",
    },
    {
      folder: { source: cluster, target: "/cluster" },
      user: root ? `${nobody}:${nobody}` : `${process.getuid?.()}:${process.getgid?.()}`,
    },
  );
  const url = atPort(first, port);
  const over = running.ended.then(() => {
    throw new Error(`Postgres ended in its container: ${running.words()}`);
  });
  over.catch(() => undefined);
  await Promise.race([
    over,
    until(() => answers(url), { what: "Postgres answers in its container", timeoutMs: 60_000 }),
  ]);
  return {
    port,
    async stop() {
      await running.kill("SIGKILL");
      await running.ended;
    },
  };
}

async function giveAway(folder: string): Promise<void> {
  await chown(folder, nobody, nobody);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    await chown(join(entry.parentPath, entry.name), nobody, nobody);
  }
}
