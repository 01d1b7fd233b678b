import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate, openDb, silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await testDatabase([]);
  folder = await mkdtemp(join(tmpdir(), "slipway-migrations-"));
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

async function run(schema: string, directory = folder): Promise<void> {
  await migrate({
    adminUrl: database.adminUrl,
    roleUrl: database.url(schema),
    schema,
    directories: [directory],
    log: silentLogger,
  });
}

async function rows(schema: string, table: string): Promise<number> {
  const db = openDb<Record<string, never>>({ url: database.url(schema), schema });
  try {
    const result = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(db);
    return result.rows[0]?.n ?? -1;
  } finally {
    await db.destroy();
  }
}

test("a file runs once, whoever asks and however many ask at the same time", async () => {
  await writeFile(join(folder, "0001_a.sql"), "create table a (x int); insert into a values (1);");

  await Promise.all(Array.from({ length: 6 }, async () => await run("m_once")));
  await run("m_once");

  expect(await rows("m_once", "a")).toBe(1);
});

test("schemas migrated at the same time do not disturb one another", async () => {
  const schemas = ["m_p1", "m_p2", "m_p3", "m_p4"];

  await Promise.all(schemas.map(async (schema) => await run(schema)));

  for (const schema of schemas) expect(await rows(schema, "a")).toBe(1);
});

test("a file that fails leaves nothing behind, and is tried again next time", async () => {
  const directory = await mkdtemp(join(folder, "failing-"));
  const file = join(directory, "0001_b.sql");
  await writeFile(file, "create table b (x int); select 1 / 0;");

  await expect(run("m_fails", directory)).rejects.toThrow(/0001_b.sql: division by zero/);
  await writeFile(file, "create table b (x int);");
  await run("m_fails", directory);

  expect(await rows("m_fails", "b")).toBe(0);
});

test("a changed file is refused before anything is run", async () => {
  const directory = await mkdtemp(join(folder, "changed-"));
  await writeFile(join(directory, "0001_c.sql"), "create table c ();");
  await run("m_changed", directory);
  await writeFile(join(directory, "0001_c.sql"), "create table c (x int);");
  await writeFile(join(directory, "0002_d.sql"), "create table d ();");

  await expect(run("m_changed", directory)).rejects.toThrow(/was changed after it was applied/);

  await expect(rows("m_changed", "d")).rejects.toMatchObject({ code: "42P01" });
});

test("an older program does not start against a schema that a newer one has changed in a breaking way", async () => {
  const newer = await mkdtemp(join(folder, "newer-"));
  await writeFile(join(newer, "0001_e.sql"), "-- breaking: renames everything\ncreate table e ();");
  await run("m_newer", newer);

  await expect(run("m_newer")).rejects.toThrow(/run a newer one/);
});

test("a file with a name of another form is an error and not passed over", async () => {
  const directory = await mkdtemp(join(folder, "names-"));
  await writeFile(join(directory, "1_x.sql"), "create table x ();");

  await expect(run("m_names", directory)).rejects.toThrow(/NNNN_words.sql/);
});

test("a role whose password was lost gets the one of its url again", async () => {
  await run("m_password");
  const admin = openDb<Record<string, never>>({ url: database.adminUrl, schema: "m_password" });
  await sql`alter role slipway_m_password password 'other'`.execute(admin);
  await admin.destroy();
  await expect(rows("m_password", "a")).rejects.toMatchObject({ code: "28P01" });

  await run("m_password");

  expect(await rows("m_password", "a")).toBe(1);
});
