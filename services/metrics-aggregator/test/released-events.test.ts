import { buildTopic, deploymentTopic, type Judgement, watchTopic } from "@slipway/contracts";
import { handTwice, releasedEvents, type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { MetricsDb } from "../src/store.ts";
import { subscriptions } from "../src/subscriptions.ts";

const topics = [buildTopic.name, deploymentTopic.name, watchTopic.name];
const released = releasedEvents(topics);

let database: TestDatabase;
let db: MetricsDb;
beforeAll(async () => {
  database = await testDatabase(["metrics"]);
  db = database.db<Record<never, never>>("metrics");
});
afterAll(() => database.close());
beforeEach(async () => {
  await sql`delete from deployment`.execute(db);
  await sql`delete from commit_time`.execute(db);
});

type Data = Readonly<Record<string, unknown>>;
type Row = Readonly<Record<string, unknown>>;

/** Of a deployment's row what each event tells; null: nothing of a deployment. */
const told: Readonly<Record<string, ((data: Data, time: string) => Row) | null>> = {
  ...{ "build.queued": null, "build.started": null, "build.step_finished": null },
  ...{ "build.succeeded": null, "build.failed": null, "build.cancelled": null, "watch.judged": null },
  "deployment.step_started": ({ weight_percent }, time) => ({ exposed_at: time, max_weight_percent: weight_percent }),
  "deployment.gate": ({ weight_percent }) => ({ max_weight_percent: weight_percent }),
  "deployment.succeeded": (_, time) => ({ succeeded_at: time, max_weight_percent: 100 }),
  ...Object.fromEntries(
    [
      "accepted",
      "queued",
      "granted",
      "opened",
      "held",
      "approval_requested",
      "approved",
      "resumed",
      "verified",
      "restoring",
      "mesh_behind",
      "mesh_followed",
      "region_away",
      "region_back",
    ].map((name) => [`deployment.${name}`, ({ regions }: Data) => ({ regions, outcome: null, exposed_at: null })]),
  ),
  ...Object.fromEntries(
    ["rolled_back", "failed", "cancelled", "superseded"].map((name) => [
      `deployment.${name}`,
      ({ reason }: Data, time: string) => ({ outcome: name, ended_reason: reason, ended_at: time }),
    ]),
  ),
  "deployment.found_bad": ({ reason, way_back }, time) => ({
    caught_reason: reason,
    caught_at: time,
    way_back,
    outcome: null,
  }),
  "watch.armed": () => ({ caught_at: null, shut: {} }),
  "watch.metrics_missing": () => ({ caught_at: null, shut: {} }),
  "watch.failed": ({ judgement }) => {
    const { at, sentence, weight_percent, counts } = judgement as Judgement;
    const caught = { caught_at: at, caught_reason: sentence };
    return { ...caught, max_weight_percent: weight_percent, failed_requests: counts.canary_errors };
  },
  "watch.shut_confirmed": ({ region, at }) => ({ shut: { [String(region)]: at } }),
  "watch.ended": ({ failed_requests }) => ({ failed_requests }),
};

test.each(released.map(({ version, event }) => [version, event.type, event] as const))(
  "what %s told with %s is counted",
  async (_, type, event) => {
    const [subscription, ...rest] = subscriptions(db);
    if (subscription === undefined) throw new Error("nothing is subscribed");
    expect([subscription.topics, rest]).toEqual([topics, []]);
    const expected = told[type];
    if (expected === undefined) throw new Error(`nothing is expected of ${type}: what does it tell?`);

    await handTwice(subscription, event);

    const data = event.data as Data;
    const { rows } = await sql<Row>`select * from deployment`.execute(db);
    const { rows: commits } = await sql<Row>`select * from commit_time`.execute(db);
    const about = ({ deployment_id: id, service, environment, version }: Data) => ({
      id,
      service,
      environment,
      version,
    });
    expect(rows).toMatchObject(expected === null ? [] : [{ ...about(data), ...expected(data, event.time) }]);
    expect(rows).toHaveLength(expected === null ? 0 : 1);
    const { service, git_sha, committed_at } = data;
    expect(commits).toEqual(type === "build.queued" ? [{ service, git_sha, committed_at }] : []);
  },
);
