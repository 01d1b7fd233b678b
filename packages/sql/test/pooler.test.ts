import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  ahead,
  answers,
  databaseProblem,
  dbNow,
  listen,
  migrate,
  openDb,
  ordinaryUserPrefix,
  prepared,
  serviceRole,
  silentLogger,
} from "../src/index.ts";

/** No part of the project: these run where a PgBouncer is installed. */
const program = (process.env.PATH ?? "")
  .split(":")
  .concat("/usr/sbin")
  .map((folder) => join(folder, "pgbouncer"))
  .find(existsSync);

describe.skipIf(program === undefined)("a PgBouncer before Postgres", () => {
  let database: TestDatabase;
  let folder: string;
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    database = await testDatabase(["pool", "other"]);
    folder = await mkdtemp(join(tmpdir(), "slipway-pooler-"));
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await database?.close();
    await rm(folder, { recursive: true });
  });

  /** The URL of each role by way of it. `more`: lines of its configuration. */
  async function startPooler(more: readonly string[]): Promise<(url: string) => string> {
    const port = await freePort();
    const server = new URL(database.url("pool"));
    const users = [database.url("pool"), database.url("other"), database.adminUrl].map((url) => new URL(url));
    const file = join(folder, "pgbouncer.ini");
    await writeFile(
      join(folder, "users"),
      users.map(({ username, password }) => `"${username}" "${decodeURIComponent(password)}"\n`).join(""),
    );
    const place = `host=${server.searchParams.get("host") ?? server.hostname} port=${server.port || "5432"}`;
    const settings = ["listen_addr=127.0.0.1", `listen_port=${port}`, "unix_socket_dir=", "auth_type=scram-sha-256"];
    await writeFile(
      file,
      ["[databases]", `* = ${place}`, "[pgbouncer]", ...settings, `auth_file=${join(folder, "users")}`, ...more].join(
        "\n",
      ),
    );
    const [command = "", ...args] = [...(await ordinaryUserPrefix("")), program ?? "", file];
    const running = spawn(command, args, { stdio: "ignore" });
    const ended = new Promise<void>((resolve) => running.once("exit", () => resolve()));
    ends.push(async () => {
      running.kill("SIGKILL");
      await ended;
    });
    const by = (url: string) => {
      const there = new URL(url);
      [there.search, there.host] = ["", `127.0.0.1:${port}`];
      return there.href;
    };
    await until(async () => expect(await answers(by(database.adminUrl))).toBe(true), { what: "PgBouncer answers" });
    return by;
  }

  function opened(url: string, schema: string, max = 2) {
    const db = openDb<Record<never, never>>({ url, schema, max });
    ends.push(() => db.destroy());
    return db;
  }
  const setting = (name: string) => sql<{ value: string }>`select current_setting(${name}) as value`;

  test.each([
    ["as it comes", []],
    ["that ignores the parameter `options`", ["ignore_startup_parameters=options"]],
  ])("%s keeps search path, limits, prepared statements, locks and LISTEN of a session", async (_, more) => {
    const by = await startPooler(["pool_mode=session", ...more]);
    const about = { urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "SLIPWAY_DATABASE_URL" };
    expect(await databaseProblem({ url: by(database.url("pool")), ...about })).toBeUndefined();
    const directories: string[] = [];
    await migrate({ adminUrl: by(database.adminUrl), schema: "pool", directories, log: silentLogger });

    const [db, other] = [opened(by(database.url("pool")), "pool"), opened(by(database.url("other")), "other")];
    for (const each of [db, other, db, other]) await dbNow(each);
    const values = async (name: string) =>
      await Promise.all([db, other].map(async (each) => (await setting(name).execute(each)).rows[0]?.value));
    expect(await values("search_path")).toEqual(["pool", "other"]);
    expect(await values("statement_timeout")).toEqual(["30s", "30s"]);
    expect(await values("timezone")).toEqual(["UTC", "UTC"]);

    for (let n = 0; n < 3; n += 1) await sql`${prepared} select ${n}::int as n`.execute(db);
    const alone = opened(by(database.url("pool")), "pool", 1);
    await sql`select pg_advisory_lock(7)`.execute(alone);
    const tried = sql<{ free: boolean }>`select pg_try_advisory_lock(7) as free`;
    expect((await tried.execute(db)).rows).toEqual([{ free: false }]);
    expect((await sql<{ given: boolean }>`select pg_advisory_unlock(7) as given`.execute(alone)).rows).toEqual([
      { given: true },
    ]);
    await db.transaction().execute(async (tx) => {
      await sql`${ahead} select pg_advisory_xact_lock(8)`.execute(tx);
      await dbNow(tx);
    });

    const heard: string[] = [];
    const onNotify = (payload: string) => void heard.push(payload);
    const url = by(database.url("pool"));
    const listener = await listen({ url, channel: "wake", onNotify, log: silentLogger });
    ends.push(() => listener.close());
    await sql`select pg_notify('wake', 'first')`.execute(db);
    await until(() => heard.includes("first"), { what: "the notification" });
  });

  test.each(["transaction", "statement"])("that keeps no sessions (%s) is refused by name", async (mode) => {
    const by = await startPooler([`pool_mode=${mode}`, "ignore_startup_parameters=options"]);
    const url = by(database.url("pool"));

    await expect(dbNow(opened(url, "pool"))).rejects.toThrow(/^the pooler before Postgres keeps no sessions: /);
    const port = new URL(url).port;
    expect(await databaseProblem({ url, urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "X" })).toBe(
      `the pooler at 127.0.0.1:${port} keeps no sessions, so that statements of others come between: let it keep them (pool_mode = session), or name Postgres itself in SLIPWAY_DATABASE_URL`,
    );
    const migrating = migrate({ adminUrl: by(database.adminUrl), schema: "pool", directories: [], log: silentLogger });
    await expect(migrating).rejects.toThrow(/keeps no sessions/);
  });

  test("that does not know a role says so", async () => {
    const by = await startPooler(["pool_mode=session"]);
    const unknown = new URL(by(database.url("pool")));
    unknown.username = serviceRole("nobody");

    const problem = await databaseProblem({ url: unknown.href, urlIn: "SLIPWAY_DATABASE_URL", passwordIn: "a file" });

    expect(problem).toBe(
      `the pooler at ${unknown.host} does not let ${unknown.username} in (SASL authentication failed): tell it each role of Slipway (auth_query), or correct a file`,
    );
  });
});
