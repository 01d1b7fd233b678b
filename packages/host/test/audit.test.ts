import { createClient } from "@slipway/client";
import { listAuditOf, verifyAuditOf } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import { instant } from "@slipway/kernel";
import { type Db, openDb } from "@slipway/sql";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Example, problem, startNotes } from "./start-notes.ts";

const service = "notification-service";
const path = `/api/v1/audit/${service}`;
let example: Example;
let admin: Db<never>;
let client: ReturnType<typeof createClient>;
beforeAll(async () => {
  example = await startNotes();
  admin = openDb({ url: example.database.adminUrl, schema: "notification", max: 1 });
  client = createClient({ url: example.host.url, token: example.host.tokens.get("viewer") });
});
beforeEach(async () => {
  await sql`truncate audit`.execute(admin);
  for (const hour of [1, 2, 3, 4, 5]) await append(hour);
});
afterAll(async () => {
  await client?.close();
  await admin?.destroy();
  await example?.close();
});

async function append(hour: number): Promise<void> {
  const entry = { actor: hour === 2 ? "bob" : "ada", action: "note.keep", subject: `N-${hour}` };
  const detail = { service: "orders", nested: { z: 1, a: [null] } };
  const db = example.database.db<never>("notification");
  await db.transaction().execute(async (tx) => {
    await appendAudit(tx, { ...entry, detail, at: instant(`2026-05-01T0${hour}:00:00.000Z`) });
  });
}

const list = async (query: object = {}) => client.call(listAuditOf(service), { query });
const verify = async (query: object = {}) => client.call(verifyAuditOf(service), { query });

describe("who may read the audit log", () => {
  test.each(["viewer", "deployer", "approver", "admin"])("%s may, and may verify it", async (as) => {
    expect((await example.fetch(path, { as })).status).toBe(200);
    expect((await example.fetch(`${path}/verification`, { as })).status).toBe(200);
  });

  test("a service may not, nor somebody without a token", async () => {
    for (const url of [path, `${path}/verification`]) {
      expect(await problem(await example.fetch(url, { as: service }))).toMatchObject({ code: "auth.forbidden" });
      expect(await problem(await example.fetch(url, { as: null }))).toMatchObject({ code: "auth.missing" });
    }
  });

  test("nobody may write there", async () => {
    for (const method of ["POST", "PUT", "DELETE"])
      expect((await example.fetch(path, { as: "admin", method })).status).toBe(404);
  });
});

describe("the list", () => {
  test("has the newest first, page by page, with all that their hashes are made of", async () => {
    const first = await list({ page_size: 3 });
    const second = await list({ page_size: 3, page_token: first.next_page_token });

    expect([...first.entries, ...second.entries].map(({ subject }) => subject)).toEqual([
      ...["N-5", "N-4", "N-3", "N-2", "N-1"],
    ]);
    expect([first.next_page_token, second.next_page_token]).toEqual(["3", null]);
    expect(first.entries[0]).toEqual({
      ...{ seq: 5, at: "2026-05-01T05:00:00.000Z", actor: "ada", action: "note.keep", subject: "N-5" },
      detail: { service: "orders", nested: { z: 1, a: [null] } },
      ...{ prev_hash: first.entries[1]?.hash, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  test("takes filters, times with any offset among them", async () => {
    const subjects = async (query: object) => (await list(query)).entries.map(({ subject }) => subject);

    expect(await subjects({ actor: "bob" })).toEqual(["N-2"]);
    expect(await subjects({ since: "2026-05-01T04:00:00Z" })).toEqual(["N-5", "N-4"]);
    expect(await subjects({ since: "2026-05-01T04:00:00+02:00", until: "2026-05-01T04:00:00Z" })).toEqual([
      ...["N-3", "N-2"],
    ]);
    expect(await subjects({ service: "orders", action: "note", subject: "N-1" })).toEqual(["N-1"]);
    expect(await subjects({ service: "shop" })).toEqual([]);
  });

  test.each([
    "since=yesterday",
    "since=2026-02-30T00:00:00Z",
    "until=0000-01-01T00:00:00Z",
    "action=Note",
    "actor=",
    "page_token=x",
    "actr=ada",
  ])("%s is refused with its place", async (query) => {
    const answer = await example.fetch(`${path}?${query}`);

    expect(answer.status).toBe(400);
    expect(await problem(answer)).toMatchObject({
      code: "request.invalid",
      errors: [{ at: `/query/${query.split("=")[0]}` }],
    });
  });

  test("shows a row that somebody has changed into what no entry is", async () => {
    await sql`update audit set detail = '"nothing"' where seq = 5`.execute(admin);

    expect((await list()).entries[0]).toMatchObject({ seq: 5, detail: "nothing" });
  });
});

describe("the verification", () => {
  test("gives the head of a whole log, which is in the log when it has grown", async () => {
    const before = await verify();
    if (before.verdict !== "intact") throw new Error("the log is not whole");
    await append(6);

    expect(before).toEqual({ verdict: "intact", entries: 5, head: expect.stringMatching(/^5:[0-9a-f]{64}$/) });
    expect(await verify({ kept: before.head })).toMatchObject({ verdict: "intact", entries: 6 });
    expect(await verify({ from: before.head })).toMatchObject({ verdict: "intact", entries: 6 });
  });

  test("names a row that was changed", async () => {
    await sql`update audit set actor = 'eve' where seq = 3`.execute(admin);

    expect(await verify()).toEqual({ verdict: "broken", seq: 3, why: "its content was changed" });
  });

  test("says by a kept head that the end was cut off", async () => {
    const before = await verify();
    await sql`delete from audit where seq > 4`.execute(admin);

    expect(await verify()).toMatchObject({ verdict: "intact", entries: 4 });
    expect(await verify({ kept: "head" in before ? before.head : "" })).toMatchObject({ verdict: "broken", seq: 5 });
  });

  test("takes no head of another form", async () => {
    expect(await problem(await example.fetch(`${path}/verification?kept=5`))).toMatchObject({
      ...{ code: "request.invalid", errors: [{ at: "/query/kept" }] },
    });
  });
});
