import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Notice } from "../src/domain/notice.ts";
import {
  addNotification,
  forgetNotifications,
  learnAccepted,
  listRows,
  markAnnounced,
  type NotificationDb,
  readKnown,
} from "../src/store.ts";

const dayMs = 24 * 3_600_000;
let database: TestDatabase;
let db: NotificationDb;

beforeAll(async () => {
  database = await testDatabase("notification");
  db = database.db("notification");
});
afterAll(() => database.close());

async function add(about: string, channel: string, ageDays: number): Promise<void> {
  const notice: Notice = { severity: "good", about, title: about, text: "", facts: [] };
  await addNotification(db, about, channel, notice);
  await sql`
    update notification set created_at = clock_timestamp() - ${ageDays} * interval '1 day'
    where about = ${about}`.execute(db);
}

test("what was delivered and told of is forgotten in time, with what was known to tell it by; what waits stays", async () => {
  for (const id of ["D-1", "D-2", "D-3"]) await learnAccepted(db, id, {}, "ada");
  await sql`
    update known_deployment set learned_at = clock_timestamp() - interval '100 days' where id <> 'D-2'`.execute(db);
  await add("D-1", "inbox", 100);
  await add("D-2", "inbox", 10);
  await add("D-3", "slack", 100);
  await add("D-4", "inbox", 100);
  await markAnnounced(
    db,
    (await listRows(db, 50)).filter(({ about }) => about !== "D-4"),
  );

  await forgetNotifications(db, 90 * dayMs);

  // D-3 still waits for its channel, and of D-4 nobody was told yet.
  expect((await listRows(db, 50)).map(({ about }) => about)).toEqual(["D-4", "D-3", "D-2"]);
  const known = await Promise.all(["D-1", "D-2", "D-3"].map((id) => readKnown(db, id)));
  expect(known.map((one) => one !== undefined)).toEqual([false, true, true]);
});
