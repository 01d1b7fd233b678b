import { artifactTopic, buildTopic, deploymentTopic, watchTopic } from "@slipway/contracts";
import { systemClock } from "@slipway/kernel";
import { handTwice, releasedEvents, type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Wait } from "../src/domain/notice.ts";
import { addNotification, listRows, type NotificationDb } from "../src/store.ts";
import { subscriptions } from "../src/subscriptions.ts";

const topics = [buildTopic.name, artifactTopic.name, deploymentTopic.name, watchTopic.name];
const released = releasedEvents(topics);
const both: readonly Wait[] = ["approval", "resume"];

/** Which notice each event makes (none: null), and what that waited it settles. */
const expected: Readonly<Record<string, readonly [RegExp | null, readonly Wait[]]>> = {
  ...Object.fromEntries(
    ["build.queued", "build.started", "build.step_finished", "build.succeeded", "build.cancelled"].map((type) => [
      type,
      [null, []],
    ]),
  ),
  "build.failed": [/^Build failed: small at 34231c3 \(B-3\)$/, []],
  ...{ "artifact.registered": [null, []], "artifact.marked_bad": [null, []] },
  // It took no approval.
  "artifact.promotion_requested": [null, []],
  "artifact.promoted": [null, ["approval"]],
  "artifact.rejected": [/^Promotion rejected: shop to prod \(P-4\)$/, ["approval"]],
  ...Object.fromEntries(
    ["accepted", "queued", "granted", "opened", "gate", "verified"].map((name) => [`deployment.${name}`, [null, []]]),
  ),
  "deployment.step_started": [null, both],
  "deployment.held": [/^Held: orders in prod \(D-1\)$/, []],
  "deployment.approval_requested": [/^Approval needed: orders in prod \(D-1\)$/, []],
  "deployment.approved": [null, ["approval"]],
  "deployment.resumed": [null, ["resume"]],
  "deployment.succeeded": [/^Deployed: orders in prod \(D-1\)$/, both],
  // The watch has told it.
  ...{ "deployment.restoring": [null, both], "deployment.found_bad": [null, []] },
  "deployment.mesh_behind": [/^The mesh of a does not follow: orders in prod \(D-\d\)$/, []],
  "deployment.mesh_followed": [/^The mesh of a follows: orders in prod \(D-\d\)$/, []],
  "deployment.region_away": [/^Not taken back in a, whose API is away or refuses it: orders in prod \(D-\d\)$/, []],
  "deployment.region_back": [/^Taken back in a after all: orders in prod \(D-\d\)$/, []],
  "deployment.rolled_back": [/^Taken back: orders in prod \(D-1\)$/, both],
  "deployment.failed": [/^Deployment failed: orders in prod \(D-1\)$/, both],
  ...{ "deployment.cancelled": [null, both], "deployment.superseded": [null, both] },
  ...Object.fromEntries(["armed", "judged", "shut_confirmed", "ended"].map((name) => [`watch.${name}`, [null, []]])),
  "watch.failed": [/^Bad deployment caught at 5%: orders in prod \(D-1\)$/, []],
  "watch.metrics_missing": [/^Cannot judge: orders in prod \(D-7\)$/, []],
};

let database: TestDatabase;
let db: NotificationDb;
beforeAll(async () => {
  database = await testDatabase(["notification"]);
  db = database.db<Record<never, never>>("notification");
});
afterAll(() => database.close());
beforeEach(async () => {
  for (const table of ["notification", "known_deployment", "inbox"])
    await sql`delete from ${sql.table(table)}`.execute(db);
});

function theSubscription() {
  const [subscription, ...rest] = subscriptions({
    ...{ db, clock: systemClock, channel: "inbox", regions: [], page: () => "http://here/inbox" },
    ...{ startedAt: systemClock.now(), added: () => undefined },
  });
  if (subscription === undefined || rest.length > 0) throw new Error("there is one subscription");
  expect(subscription.topics).toEqual(topics);
  return subscription;
}

test.each(released.map(({ version, event }) => [version, event.type, event] as const))(
  "what %s told with %s makes its notice, once, and settles what waited for it",
  async (_, type, event) => {
    const subscription = theSubscription();
    const [title, settles] = expected[type] ?? [];
    if (settles === undefined) throw new Error(`nothing is expected of ${type}: who is told of it?`);
    const data = event.data as Record<string, string>;
    const about = data.promotion_id ?? data.deployment_id ?? data.build_id ?? "";
    for (const waits of both) {
      const notice = { severity: "attention", about, title: waits, text: "", facts: [], waits } as const;
      await addNotification(db, `before-${waits}`, "inbox", notice);
    }
    // As they came before it.
    const earlier = type === "watch.failed" ? ["deployment.accepted", "deployment.opened"] : [];
    for (const one of released) if (earlier.includes(one.event.type)) await handTwice(subscription, one.event);

    await handTwice(subscription, event);

    const rows = (await listRows(db, 10)).toReversed();
    const before = rows.filter(({ notice }) => both.some((waits) => waits === notice.title));
    expect(before.filter(({ settled }) => settled !== null).map(({ notice }) => notice.waits)).toEqual(settles);
    const added = rows.filter((row) => !before.includes(row));
    expect(added.map(({ notice }) => notice.title)).toEqual(title == null ? [] : [expect.stringMatching(title)]);
    if (type === "watch.failed") expect(JSON.stringify(added[0]?.notice.byHand)).toContain("orders");
  },
);

test.each(["deployment.accepted", "deployment.opened"])("%s is learned for what comes after it", async (type) => {
  for (const { event } of released.filter(({ event }) => event.type === type)) {
    await handTwice(theSubscription(), event);

    const { rows } = await sql<{ id: string; baselines: unknown }>`select id, baselines from known_deployment`.execute(
      db,
    );
    const { deployment_id: id, baselines } = event.data as Record<string, unknown>;
    expect(rows).toEqual([{ id, baselines }]);
  }
});
