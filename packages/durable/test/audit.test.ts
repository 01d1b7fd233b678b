import { type AuditEntry, type AuditQuery, appendAudit, readAudit, verifyAudit } from "@slipway/durable";
import { instant } from "@slipway/kernel";
import { type Db, openDb } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

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

test("an entry that somebody put before the first one is found", async () => {
  await sql`insert into audit select 0, at, actor, action, subject, detail, prev_hash, hash from audit where seq = 1`.execute(
    admin,
  );

  expect(await verifyAudit(db)).toEqual({ kind: "broken", seq: 0, why: "it stands before the first entry" });
});

describe("a head that was kept elsewhere", () => {
  const keptHead = async () => {
    const found = await verifyAudit(db);
    if (found.kind !== "intact") throw new Error(`the log is ${found.kind}`);
    return { seq: found.entries, hash: found.head };
  };

  test("is in a log that only grew", async () => {
    const kept = await keptHead();
    await append(entry);

    expect(await verifyAudit(db, { kept })).toMatchObject({ kind: "intact", entries: 13 });
  });

  test("of an empty log is in every log", async () => {
    await sql`truncate audit`.execute(admin);
    const kept = await keptHead();
    await append(entry);

    expect(kept).toEqual({ seq: 0, hash: "0".repeat(64) });
    expect(await verifyAudit(db, { kept })).toMatchObject({ kind: "intact", entries: 1 });
  });

  test("shows that entries were cut off at the end, which the chain alone does not", async () => {
    const kept = await keptHead();
    await sql`delete from audit where seq > 10`.execute(admin);

    expect(await verifyAudit(db)).toMatchObject({ kind: "intact", entries: 10 });
    expect(await verifyAudit(db, { kept })).toMatchObject({
      ...{ kind: "broken", seq: 12, why: expect.stringContaining("is missing") },
    });
  });

  test("shows that the log was written anew, with hashes that hold", async () => {
    const kept = await keptHead();
    await sql`delete from audit where seq > 10`.execute(admin);
    await append({ ...entry, actor: "eve" });
    await append(entry);

    expect(await verifyAudit(db)).toMatchObject({ kind: "intact", entries: 12 });
    expect(await verifyAudit(db, { kept })).toMatchObject({
      ...{ kind: "broken", seq: 12, why: expect.stringContaining("another one") },
    });
  });
});

describe("a log that is longer than one call may take", () => {
  /** In one transaction: each of five hundred at once would wait for a connection for as long as the machine is slow. */
  const grow = () =>
    db.transaction().execute(async (tx) => {
      for (let index = 0; index < 500; index += 1) await appendAudit(tx, { ...entry, subject: `D-${index}` });
    });
  /** So many calls, each without any time, until the end. */
  const inPieces = async () => {
    const pieces = [await verifyAudit(db, { withinMs: 0 })];
    for (let last = pieces[0]; last?.kind === "unfinished"; last = pieces.at(-1))
      pieces.push(await verifyAudit(db, { withinMs: 0, from: { seq: last.entries, hash: last.head } }));
    return pieces;
  };

  test("is verified in pieces that go on where the last one ended", async () => {
    await grow();

    expect(await inPieces()).toEqual([
      { kind: "unfinished", entries: 500, head: expect.any(String) },
      await verifyAudit(db),
    ]);
  });

  test("is broken in the piece in which it is, also where it was cut off before the place to go on from", async () => {
    await grow();
    const [first] = await inPieces();
    if (first?.kind !== "unfinished") throw new Error("it took one piece");
    const from = { seq: first.entries, hash: first.head };
    await sql`update audit set subject = 'D-x' where seq = 505`.execute(admin);
    expect((await inPieces()).at(-1)).toEqual({ kind: "broken", seq: 505, why: "its content was changed" });
    await sql`delete from audit where seq > 400`.execute(admin);

    expect(await verifyAudit(db, { from })).toMatchObject({ kind: "broken", seq: 500 });
  });

  test("is given up where nobody waits any more", async () => {
    await expect(verifyAudit(db, { signal: AbortSignal.abort(new Error("gone")) })).rejects.toThrow("gone");
  });
});

describe("reading", () => {
  const subjectsOf = async (query: Partial<AuditQuery>) =>
    (await readAudit(db, { limit: 50, ...query })).entries.map(({ subject }) => subject);

  test("gives the newest first, page by page, each entry once", async () => {
    const first = await readAudit(db, { limit: 8 });
    const second = await readAudit(db, { limit: 8, before: first.next ?? 0 });

    expect(first.entries.map(({ seq }) => seq)).toEqual([12, 11, 10, 9, 8, 7, 6, 5]);
    expect(second.entries.map(({ seq }) => seq)).toEqual([4, 3, 2, 1]);
    expect([first.next, second.next]).toEqual([5, null]);
    expect(first.entries[0]).toMatchObject({ actor: "ada", hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  test("an empty log has one empty page", async () => {
    await sql`truncate audit`.execute(admin);

    expect(await readAudit(db, { limit: 8 })).toEqual({ entries: [], next: null });
  });

  test.each([
    [{ actor: "bob" }, ["shop", "orders"]],
    [{ action: "secret.set" }, ["orders"]],
    [{ action: "secret" }, ["shop", "orders"]],
    [{ action: "secre" }, []],
    [{ service: "orders" }, ["P-7", "orders"]],
    [{ subject: "P-7" }, ["P-7"]],
    [{ subject: "sha256:abc" }, ["P-7"]],
    [{ subject: "orders", actor: "eve" }, ["P-7"]],
    [{ since: instant("2026-01-07T00:00:00Z") }, ["P-7", "shop"]],
    [{ since: instant("2026-01-06T00:00:00Z"), until: instant("2026-01-07T00:00:00Z") }, ["orders"]],
  ])("%j are %j", async (query, subjects) => {
    const by = { ...entry, actor: "bob", detail: {} };
    const detail = { service: "orders", digest: "sha256:abc" };
    await append({ ...by, action: "secret.set", subject: "orders", at: instant("2026-01-06T00:00:00Z") });
    await append({ ...by, action: "secret.remove", subject: "shop", at: instant("2026-01-07T00:00:00Z") });
    await append({ ...entry, actor: "eve", subject: "P-7", detail, at: instant("2026-01-08T00:00:00Z") });

    expect(await subjectsOf(query)).toEqual(subjects);
  });

  test("finds what stands behind many entries of others", async () => {
    await sql`insert into audit select seq, '2026-02-01', 'crowd', 'image.tagged', 'x', '{}', '', ''
      from generate_series(13, 45000) seq`.execute(admin);

    const { entries, next } = await readAudit(db, { limit: 8, actor: "ada" });

    expect(entries.map(({ seq }) => seq)).toEqual([12, 11, 10, 9, 8, 7, 6, 5]);
    expect(next).toBe(5);
  });
});
