import { type Bus, postgresBus } from "@slipway/bus";
import { createClient } from "@slipway/client";
import { deploymentTopic, getDora } from "@slipway/contracts";
import { addMs, systemClock } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { testEvent, until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PlatformApart, preparePlatform, type Replica } from "./platform-apart.ts";

const deployments = 60;
/** The deployment at which the first one is killed. */
const stuck = "D-7";

let platform: PlatformApart;
let bus: Bus;
beforeAll(async () => {
  platform = await preparePlatform();
  bus = postgresBus({ url: platform.database.url("bus"), log: silentLogger });
});
afterAll(async () => {
  await bus?.close();
  await platform?.stop();
});

test("two metrics-aggregators count each deployment once, although one is killed in the middle of an event", async () => {
  const one = await ready();
  const db = platform.database.db<never>("metrics");
  // Whoever takes an event of this deployment waits for its row.
  const lock = await db.startTransaction().execute();
  // For as long as another process takes to start: a transaction may idle for ten seconds else.
  await sql`set local idle_in_transaction_session_timeout = 0`.execute(lock);
  await sql`insert into deployment (id, service, environment, version) values (${stuck}, 'shop', 'prod', 'shop-1')`.execute(
    lock,
  );
  await publishAll();
  await until(isBlocked, { what: "an event under way" });

  const other = await ready();
  await one.end("SIGKILL");
  await lock.rollback().execute();
  // What it had published already comes once more, and late.
  await publishAll();

  const client = createClient({ url: other.url, token: platform.tokens.viewer });
  const figures = () => client.call(getDora, { query: { days: 1 } });
  await until(async () => (await figures()).deployments === deployments, { what: "all of them to be counted" });
  await until(async () => (await left()) === 0, { what: "no event to be left" });
  expect(await figures()).toMatchObject({ deployments, deployments_per_day: deployments, change_failure_percent: 0 });
  await client.close();
});

async function ready(): Promise<Replica> {
  const replica = await platform.start("metrics-aggregator");
  await until(async () => (await fetch(`${replica.url}/readyz`)).status === 200, { what: "it to be ready" });
  return replica;
}

/** Each deployment comes to 100% in three minutes. */
async function publishAll(): Promise<void> {
  const began = addMs(systemClock.now(), -3_600_000);
  for (let number = 1; number <= deployments; number += 1) {
    const id = `D-${number}`;
    const about = {
      ...{ deployment_id: id, service: "shop", environment: "prod", version: `shop-3f2a91c-aaaa${(number % 6) + 2}` },
      ...{ digest: `sha256:${"0".repeat(64)}`, git_sha: "3f2a91c".padEnd(40, "0"), regions: ["us-east-1"] },
    };
    const events = [
      ["deployment.step_started", { ...about, step: 0, weight_percent: 5 }, 60_000],
      ["deployment.succeeded", { ...about, created_at: began }, 180_000],
    ] as const;
    await bus.publish(
      deploymentTopic.name,
      events.map(([type, data, ms]) => ({ ...testEvent(`${type}-${id}`, id, data), type, time: addMs(began, ms) })),
    );
  }
}

async function isBlocked(): Promise<boolean> {
  const { rows } = await sql`
    select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
    platform.database.db<never>("metrics"),
  );
  return rows.length > 0;
}

/** Events of deployments that nobody has taken to the end. */
async function left(): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select (select count(*) from event e join consumer c on c.topic = e.topic and c.partition = e.partition
        and c.consumer_group = 'metrics-aggregator' where e."offset" >= c.next_offset)
      + (select count(*) from retry where consumer_group = 'metrics-aggregator') as n`.execute(
    platform.database.db<never>("bus"),
  );
  return Number(rows[0]?.n ?? 1);
}
