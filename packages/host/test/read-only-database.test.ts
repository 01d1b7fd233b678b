import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDb, silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningHost, readConfig, runHost } from "../src/index.ts";
import { watchBackends } from "../src/watch-backends.ts";
import { notesModule } from "./example-module.ts";

let database: TestDatabase;
let dataDir: string;
let host: RunningHost;
const { module } = notesModule();
const databaseHere = () => ({
  adminUrl: database.adminUrl,
  roleUrl: (role: string) => database.url(role.replace("slipway_", "")),
});
beforeAll(async () => {
  database = await testDatabase(["bus", "access", "notification"]);
  dataDir = await mkdtemp(join(tmpdir(), "slipway-host-"));
  const config = readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0" }, [module]);
  host = await runHost({ modules: [module], config, database: databaseHere(), log: silentLogger, signals: false });
});
afterAll(async () => {
  await host?.stop();
  await database?.close();
  await rm(dataDir, { recursive: true });
});

async function takeWrites(setting: "on" | "off"): Promise<void> {
  const db = openDb<Record<never, never>>({ url: database.adminUrl, schema: "access", max: 1 });
  const [name, readOnly] = [new URL(database.adminUrl).pathname.slice(1), setting === "on" ? "off" : "on"];
  await db.connection().execute(async (one) => {
    await sql`set default_transaction_read_only = off`.execute(one);
    await sql`alter database ${sql.id(name)} set default_transaction_read_only = ${sql.lit(readOnly)}`.execute(one);
  });
  await db.destroy();
}

test("a database that answers and takes no writes is a warning of readiness until it takes them again", async () => {
  const config = readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0" }, [module]);
  const world = { config, database: databaseHere(), regions: [], tokens: host.tokens, log: silentLogger };
  await takeWrites("off");
  const watch = watchBackends([module], world, { everyMs: 5, againMs: 5 });
  watch.started({ name: module.name, db: database.db("notification"), running: {} });
  const warnings = () => watch.warnings(module.name).filter((warning) => !warning.includes("SLIPWAY_REGIONS"));

  await until(() => warnings().length > 0, { what: "the warning" });
  expect(warnings()).toEqual([
    expect.stringMatching(/^Postgres at .* takes no writes \(default_transaction_read_only/),
  ]);

  await takeWrites("on");
  await until(() => warnings().length === 0, { what: "all to be well again" });
  watch.stop();
});
