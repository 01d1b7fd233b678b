import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyAudit } from "@slipway/durable";
import { addMs, type Instant, instant, systemClock } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { SecretKeys as Keys, openSecrets, type SecretKeys, type SecretStore } from "../src/index.ts";

type Tables = Record<string, Record<string, unknown>>;

let database: TestDatabase;
let folder: string;
const now = instant("2026-05-01T10:00:00Z");
const hourMs = 3_600_000;
const prod = { service: "orders", scope: "prod" };
const staging = { service: "orders", scope: "staging" };

beforeAll(async () => {
  database = await testDatabase("deployment");
});
afterAll(() => database.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-secrets-"));
  await database.db<Tables>("deployment").deleteFrom("secret_value").execute();
  return () => rm(folder, { recursive: true, force: true });
});

const newKey = () => randomBytes(32).toString("base64");
const keysOf = (env: Record<string, string>): SecretKeys => Keys.parse(env);

function open(keys: SecretKeys = {}, owner = "deployment"): Promise<SecretStore> {
  const db = database.db<Tables>("deployment");
  return openSecrets({ db, owner, keys, dataDir: folder, keepMs: hourMs, clock: systemClock, log: silentLogger });
}

const setting = (value: string, more: Partial<typeof prod & { name: string; now: Instant }> = {}) => ({
  ...{ ...prod, name: "DB_URL", by: "ada", now },
  value,
  ...more,
});

test("the first start makes a key that only its owner can read, and the next one reads what it has encrypted", async () => {
  const first = await open();
  const { revision } = await first.set(setting("postgres://one"));

  const again = await open();

  const file = join(folder, "secrets", "values.key");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await again.read(prod, { DB_URL: revision })).toEqual({ DB_URL: "postgres://one" });
});

test("services that start together make one key", async () => {
  const stores = await Promise.all([open(), open(), open(), open()]);
  const [one] = stores;
  const { revision } = (await one?.set(setting("shared"))) ?? expect.fail("not set");

  for (const store of stores) expect(await store.read(prod, { DB_URL: revision })).toEqual({ DB_URL: "shared" });
});

test("a new value has a new revision, and the same value keeps it", async () => {
  const store = await open();
  const one = await store.set(setting("one"));
  const same = await store.set(setting("one"));
  const two = await store.set(setting("two"));
  const back = await store.set(setting("one"));

  expect(same.revision).toBe(one.revision);
  expect(new Set([one.revision, two.revision, back.revision]).size).toBe(3);
  expect(await store.revisions(prod, ["DB_URL"])).toEqual({ DB_URL: back.revision });
});

test("a replaced value is there for a way back, and forgotten in time", async () => {
  const store = await open();
  const { revision } = await store.set(setting("one"));
  await store.set(setting("two"));
  expect(await store.read(prod, { DB_URL: revision })).toEqual({ DB_URL: "one" });
  expect((await store.everyValue(prod, ["DB_URL"])).sort()).toEqual(["one", "two"]);
  expect((await store.everyValue(prod)).sort()).toEqual(["one", "two"]);
  expect(await store.everyValue(prod, [])).toEqual([]);
  expect(await store.everyValue(staging)).toEqual([]);

  await store.maintain(addMs(now, 2 * hourMs));

  await expect(store.read(prod, { DB_URL: revision })).rejects.toMatchObject({ code: "secret.missing" });
  expect(await store.everyValue(prod, ["DB_URL"])).toEqual(["two"]);
});

test("what is removed is gone with all that it ever was", async () => {
  const store = await open();
  const { revision } = await store.set(setting("one"));
  await store.set(setting("two"));

  expect(await store.remove({ ...prod, name: "DB_URL", by: "ada", now })).toBe(true);
  expect(await store.remove({ ...prod, name: "DB_URL", by: "ada", now })).toBe(false);

  await expect(store.read(prod, { DB_URL: revision })).rejects.toMatchObject({ code: "secret.missing" });
  expect(await store.list("orders")).toEqual([]);
});

test("another environment's secret is not there, also for who knows its revision", async () => {
  const store = await open();
  const { revision } = await store.set(setting("of prod"));

  await expect(store.revisions(staging, ["DB_URL"])).rejects.toMatchObject({
    code: "secret.missing",
    remedy: "slipway secrets set orders DB_URL --env staging",
  });
  await expect(store.read(staging, { DB_URL: revision })).rejects.toMatchObject({ code: "secret.missing" });
});

test("a row that somebody moves to another environment cannot be decrypted there", async () => {
  const store = await open();
  const { revision } = await store.set(setting("of prod"));
  await sql`update secret_value set scope = 'staging'`.execute(database.db<Tables>("deployment"));

  await expect(store.read(staging, { DB_URL: revision })).rejects.toMatchObject({ code: "secret.unreadable" });
});

test("with a new key all is encrypted anew at the start, and the former one is no longer needed", async () => {
  const [one, two] = [newKey(), newKey()];
  const { revision } = await (await open(keysOf({ SLIPWAY_SECRETS_KEY: one }))).set(setting("kept"));
  const rotated = keysOf({ SLIPWAY_SECRETS_KEY: two, SLIPWAY_SECRETS_OLD_KEYS: one });
  expect(await (await open(rotated)).read(prod, { DB_URL: revision })).toEqual({ DB_URL: "kept" });

  const after = await open(keysOf({ SLIPWAY_SECRETS_KEY: two }));

  expect(await after.read(prod, { DB_URL: revision })).toEqual({ DB_URL: "kept" });
});

test("a wrong key loses nothing: it is said which one is missing, and once that is back all is as before", async () => {
  const [one, two] = [newKey(), newKey()];
  const right = keysOf({ SLIPWAY_SECRETS_KEY: one });
  const { revision } = await (await open(right)).set(setting("kept"));

  const wrong = await open(keysOf({ SLIPWAY_SECRETS_KEY: two }));

  await expect(wrong.read(prod, { DB_URL: revision })).rejects.toMatchObject({ code: "secret.key_missing" });
  expect(await wrong.list("orders")).toMatchObject([{ name: "DB_URL", readable: false }]);
  expect(await (await open(right)).read(prod, { DB_URL: revision })).toEqual({ DB_URL: "kept" });
});

test("a key file that is gone is not replaced while values need it", async () => {
  const file = join(folder, "secrets", "values.key");
  const { revision } = await (await open()).set(setting("kept"));
  const text = await readFile(file, "utf8");
  await unlink(file);

  const without = await open();
  await expect(without.set(setting("other"))).rejects.toMatchObject({ code: "secret.key_missing" });
  await expect(readFile(file, "utf8")).rejects.toMatchObject({ code: "ENOENT" });
  await writeFile(file, text);

  expect(await (await open()).read(prod, { DB_URL: revision })).toEqual({ DB_URL: "kept" });
});

test("a key file that was cut off is refused by name", async () => {
  await (await open()).set(setting("kept"));
  await writeFile(join(folder, "secrets", "values.key"), "c2hvcnQ=\n");

  await expect(open()).rejects.toThrow(/values\.key holds no whole key/);
});

test("the audit log says who set and removed what, is whole, and like every table knows no value", async () => {
  const store = await open();
  const value = `value-${randomBytes(12).toString("hex")}`;
  await store.set(setting(value));
  await store.remove({ ...prod, name: "DB_URL", by: "bob", now });
  await store.set(setting(value));
  const db = database.db<{ audit: { actor: string; action: string; subject: string; detail: unknown; seq: number } }>(
    "deployment",
  );

  const entries = await db
    .selectFrom("audit")
    .select(["actor", "action", "detail"])
    .orderBy("seq", "desc")
    .limit(3)
    .execute();
  expect(entries.map(({ actor, action }) => `${actor} ${action}`)).toEqual([
    "ada secret.set",
    "bob secret.remove",
    "ada secret.set",
  ]);
  expect(entries[0]?.detail).toMatchObject({ secret: "DB_URL", scope: "prod", revision: expect.any(String) });
  expect(await verifyAudit(db)).toMatchObject({ kind: "intact" });
  const rows = await sql<{ row: string }>`select secret_value::text as row from secret_value`.execute(db);
  for (const text of [...rows.rows.map(({ row }) => row), JSON.stringify(entries)]) {
    expect(text).not.toContain(value);
    expect(text).not.toContain(Buffer.from(value).toString("hex"));
  }
});

test("writers of the same secret take turns: one value stands, and all of them were audited", async () => {
  const store = await open();

  const set = await Promise.all(Array.from({ length: 8 }, (_, i) => store.set(setting(`value ${i}`))));

  const { DB_URL: present } = await store.revisions(prod, ["DB_URL"]);
  expect(set.map(({ revision }) => revision)).toContain(present);
  expect(await store.list("orders")).toHaveLength(1);
});
