import { spawn } from "node:child_process";
import { chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, silentLogger, startEmbeddedPostgres } from "@slipway/sql";
import { until } from "@slipway/testkit";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { isRunning } from "../src/postmaster-file.ts";

const folders: string[] = [];
const servers: EmbeddedPostgres[] = [];

async function dataFolder(...beneath: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-pg-"));
  folders.push(folder);
  const dataDir = join(folder, ...beneath);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  return dataDir;
}

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, durability: "full", log: silentLogger });
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test("it comes up without a network port, keeps its data over a restart, and stops", async () => {
  const dataDir = await dataFolder();
  const first = await start(dataDir);
  expect(first.adopted).toBe(false);
  expect(await ask(first.adminUrl(), "show listen_addresses")).toEqual([{ listen_addresses: "" }]);
  expect(await ask(first.adminUrl(), "show fsync")).toEqual([{ fsync: "on" }]);
  await ask(first.adminUrl(), "create table kept as select 7 as x");
  await first.stop();
  await until(async () => !(await isRunning(first.pid)), { what: "the server's end" });

  const second = await start(dataDir);

  expect(await ask(second.adminUrl(), "select x from kept")).toEqual([{ x: 7 }]);
  expect((await stat(join(dataDir, "secrets", "postgres", "slipway_admin"))).mode & 0o777).toBe(0o600);
});

test("a server that runs already is taken over, by several at the same time too", async () => {
  const dataDir = await dataFolder();
  const [one, two, three] = await Promise.all([start(dataDir), start(dataDir), start(dataDir)]);

  const pids = new Set([one?.pid, two?.pid, three?.pid]);
  const later = await start(dataDir);

  expect(pids).toEqual(new Set([later.pid]));
  expect([one, two, three].filter((server) => server?.adopted === false)).toHaveLength(1);
  expect(later.adopted).toBe(true);
});

/** Another process starts the server and is then killed with -9. Answers the server's pid. */
async function startAndKillOwner(dataDir: string, durability: "full" | "test"): Promise<number> {
  const program = join(import.meta.dirname, "start-postgres.ts");
  const owner = spawn(process.execPath, ["--conditions=@slipway/source", program, dataDir, durability], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  owner.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until(() => said.includes("\n"), { what: "the owner's server" });
  const gone = new Promise((resolve) => owner.once("exit", resolve));
  owner.kill("SIGKILL");
  await gone;
  return Number(said.trim());
}

test("the server outlives a killed owner and is taken over by the next", async () => {
  const dataDir = await dataFolder();
  const pid = await startAndKillOwner(dataDir, "full");

  const next = await start(dataDir);

  expect(next.adopted).toBe(true);
  expect(next.pid).toBe(pid);
});

test("a test's server ends with its owner, so that a killed test run leaves none behind", async () => {
  const dataDir = await dataFolder();
  const pid = await startAndKillOwner(dataDir, "test");

  await until(async () => !(await isRunning(pid)), { what: "the server's end" });
});

test("a server killed with -9 is started again, with what was committed", async () => {
  const dataDir = await dataFolder();
  const first = await start(dataDir);
  await ask(first.adminUrl(), "create table kept as select 7 as x");
  process.kill(first.pid, "SIGKILL");

  const second = await start(dataDir);

  expect(second.adopted).toBe(false);
  expect(await ask(second.adminUrl(), "select x from kept")).toEqual([{ x: 7 }]);
});

test("a lock file whose pid now belongs to another program does not stop the start", async () => {
  const dataDir = await dataFolder();
  const first = await start(dataDir);
  await first.stop();
  const file = join(dataDir, "postgres", "postmaster.pid");
  await writeFile(file, `${process.pid}\n${join(dataDir, "postgres")}\n1\n5432\n${join(dataDir, "run")}\n\n`);

  const second = await start(dataDir);

  expect(second.adopted).toBe(false);
  expect((await readFile(file, "utf8")).split("\n")[0]).toBe(String(second.pid));
});

test("a data folder with a very long path gets its socket elsewhere", async () => {
  const dataDir = await dataFolder("a".repeat(60), "b".repeat(60));

  const server = await start(dataDir);

  expect(await ask(server.adminUrl(), "select 1 as x")).toEqual([{ x: 1 }]);
  const sockets = new URL(server.adminUrl()).searchParams.get("host") ?? "";
  folders.push(sockets);
  expect(sockets.startsWith(dataDir)).toBe(false);
  expect((await stat(sockets)).mode & 0o777).toBe(0o700);
});

test.skipIf(process.getuid?.() !== 0)(
  "as root where user namespaces are not allowed it runs as nobody (only root can become nobody)",
  async () => {
    const dataDir = await dataFolder();
    // A cluster's folder that is not root's is how it is known that it was made in this way.
    await mkdir(join(dataDir, "postgres"));
    await chown(join(dataDir, "postgres"), 65_534, 65_534);

    const first = await start(dataDir);
    await ask(first.adminUrl(), "create table kept as select 7 as x");
    await first.stop();
    const second = await start(dataDir);

    expect(await ask(second.adminUrl(), "select x from kept")).toEqual([{ x: 7 }]);
    expect((await stat(`/proc/${second.pid}`)).uid).toBe(65_534);
    expect((await stat(join(dataDir, "postgres", "PG_VERSION"))).uid).toBe(65_534);
  },
);
