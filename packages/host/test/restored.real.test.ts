import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { openDb } from "@slipway/sql";
import { programEnv, type RealPostgres, realPart, runFolder, startPostgres } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkBackends } from "../src/index.ts";

const part = realPart("postgres-15");
const program = ["--conditions=@slipway/source", join(import.meta.dirname, "notes-service-main.ts")];

/** As docs/guides/backup.md says, with the pg_dump and pg_restore of the oldest Postgres. */
describe.skipIf(part === undefined)("a database of one server that is put back on a new one", () => {
  let folder: string;
  let dump: string;
  let old: RealPostgres;
  const servers: RealPostgres[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(runFolder(), "restored-"));
    dump = join(folder, "slipway.dump");
    old = await newServer();
    await prepare(await credentials("old"), old.adminUrl());
    await as(old.adminUrl(), "insert into notification.channel (name) values ('kept')");
    await postgres("pg_dump", ["-Fc", `--dbname=${old.adminUrl()}`, `--file=${dump}`]);
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function newServer(): Promise<RealPostgres> {
    const server = await startPostgres(part!);
    servers.push(server);
    return server;
  }

  /** An empty database of a login that is no superuser. */
  async function emptyDatabase(server: RealPostgres): Promise<string> {
    await as(server.adminUrl(), "create role somebody login createrole password 'x'");
    await as(server.adminUrl(), "create database restored owner somebody");
    return `postgres://somebody:x@${new URL(server.adminUrl()).host}/restored`;
  }

  const postgres = (name: string, args: readonly string[]) =>
    promisify(execFile)(part!.also[name] ?? "", args, { env: { ...programEnv(), ...part!.env } });
  const run = (command: string, env: Record<string, string>) =>
    promisify(execFile)(process.execPath, [...program, command], { env: { ...programEnv(), ...env } });
  const prepare = (dataDir: string, adminUrl: string) =>
    run("prepare", { SLIPWAY_DATA: dataDir, SLIPWAY_DATABASE_URL: adminUrl });

  /** Made once, and mounted wherever the services go. */
  async function credentials(name: string): Promise<string> {
    const made = join(folder, "credentials");
    await run("credentials", { SLIPWAY_DATA: made });
    await cp(made, join(folder, name), { recursive: true });
    return join(folder, name);
  }

  async function as(url: string, text: string): Promise<readonly unknown[]> {
    const db = openDb<Record<string, never>>({ url, schema: "notification", max: 1 });
    try {
      return (await sql.raw(text).execute(db)).rows;
    } finally {
      await db.destroy();
    }
  }

  /** What the service itself says there, started with the same credentials. */
  async function trouble(dataDir: string, adminUrl: string): Promise<readonly string[]> {
    const { host, pathname } = new URL(adminUrl);
    const checks = await checkBackends({
      ...{ SLIPWAY_DATA: dataDir, SLIPWAY_PREPARED: "true", SLIPWAY_DATABASE_URL: `postgres://${host}${pathname}` },
    });
    return checks.flatMap(({ problems }) => problems);
  }

  test.each([
    ["as the guide says", ["--no-owner", "--no-acl", "--exit-on-error"]],
    ["with owners and rights of roles that are not there", []],
  ])("serves again after `prepare`: %s", async (_, options) => {
    const admin = await emptyDatabase(await newServer());
    const mine = await credentials(`new-${options.length}`);
    await postgres("pg_restore", [...options, `--dbname=${admin}`, dump]).catch((error: Error) => {
      if (options.length > 0) throw error;
    });
    expect(await trouble(mine, admin)).toEqual([expect.stringMatching(/slipway_notification/)]);

    await prepare(mine, admin);

    expect(await trouble(mine, admin)).toEqual([]);
    const password = await passwordOf(mine);
    const url = new URL(admin);
    [url.username, url.password] = ["slipway_notification", password];
    expect(await as(url.href, "select name from channel")).toEqual([{ name: "kept" }]);
    await as(url.href, "insert into channel (name) values ('new')");
    expect(await as(url.href, "select bus.forget(0, 1) as gone")).toEqual([{ gone: 0 }]);
    await expect(as(url.href, "delete from audit")).rejects.toMatchObject({ code: "42501" });
  });

  async function passwordOf(dataDir: string): Promise<string> {
    return (await readFile(join(dataDir, "secrets/postgres/slipway_notification"), "utf8")).trim();
  }
});
