import { type AuditEntry, appendAudit, verifyAudit } from "@slipway/durable";
import { instant } from "@slipway/kernel";
import { type Db, openDb } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

const schema = "durable_audit";
let database: TestDatabase;
let db: Db<Record<string, never>>;
let admin: Db<Record<string, never>>;
beforeAll(async () => {
  database = await testDatabase(schema);
  db = database.db(schema);
  admin = openDb({ url: database.adminUrl, schema, max: 1 });
});
beforeEach(async () => {
  await sql`truncate audit`.execute(admin);
  await Promise.all(Array.from({ length: 12 }, async (_, index) => await append({ ...entry, subject: `D-${index}` })));
});
afterAll(async () => {
  await admin.destroy();
  await database.close();
});

const entry: AuditEntry = {
  actor: "ada",
  action: "deployment.promote",
  subject: "D-1",
  detail: { reason: "looks “fine”", weight: 5.5, when: undefined, nested: { b: [1, null], a: true } },
  at: instant("2026-01-05T09:00:00.123Z"),
};

async function append(what: AuditEntry): Promise<void> {
  await db.transaction().execute(async (tx) => await appendAudit(tx, what));
}

test("entries added at the same time form one chain", async () => {
  expect(await verifyAudit(db)).toMatchObject({ kind: "intact", entries: 12 });
});

test("an entry of a rolled-back transaction leaves no gap", async () => {
  const rolledBack = db.transaction().execute(async (tx) => {
    await appendAudit(tx, entry);
    throw new Error("no");
  });
  await expect(rolledBack).rejects.toThrow("no");
  await append(entry);

  expect(await verifyAudit(db)).toMatchObject({ kind: "intact", entries: 13 });
});

test.each([
  ["content", "update audit set actor = 'eve' where seq = 5", 5, "its content was changed"],
  ["detail", `update audit set detail = detail || '{"weight": 50}' where seq = 5`, 5, "its content was changed"],
  ["time", "update audit set at = at + interval '1 ms' where seq = 5", 5, "its content was changed"],
  ["hash", "update audit set hash = repeat('a', 64) where seq = 5", 5, "its content was changed"],
  [
    "order",
    "update audit set seq = case seq when 5 then 106 else 105 end where seq in (5, 6)",
    5,
    "the entry is missing",
  ],
  ["presence", "delete from audit where seq = 5", 5, "the entry is missing"],
])("a change of an entry's %s by someone with the rights to do it is found", async (_, statement, seq, why) => {
  await sql.raw(statement).execute(admin);

  expect(await verifyAudit(db)).toEqual({ kind: "broken", seq, why });
});

test("entries cut off at the end are found by a head kept elsewhere", async () => {
  const before = await verifyAudit(db);
  await sql`delete from audit where seq > 10`.execute(admin);

  const after = await verifyAudit(db);

  expect(after).toMatchObject({ kind: "intact", entries: 10 });
  expect(after).not.toEqual(before);
});
