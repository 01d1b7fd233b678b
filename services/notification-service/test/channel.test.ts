import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Notice } from "../src/domain/notice.ts";
import { addNotification, ensureChannel, type NotificationDb, takeTurn } from "../src/store.ts";

let database: TestDatabase;
let db: NotificationDb;

beforeAll(async () => {
  database = await testDatabase("notification");
  db = database.db("notification");
});
afterAll(() => database.close());

test("what waits for another attempt is tried at once after a start, whose address may be another", async () => {
  const notice: Notice = { severity: "good", about: "D-1", title: "D-1", text: "", facts: [] };
  const turn = () => db.transaction().execute((tx) => takeTurn(tx, "slack"));
  await ensureChannel(db, "slack");
  await addNotification(db, "D-1", "slack", notice);
  await sql`update notification set next_attempt_at = clock_timestamp() + interval '5 minutes'`.execute(db);
  expect(await turn()).toMatchObject({ kind: "wait", ms: expect.toSatisfy((ms) => ms > 200_000) });

  await ensureChannel(db, "slack");

  expect(await turn()).toMatchObject({ kind: "send", row: { about: "D-1" } });
});
