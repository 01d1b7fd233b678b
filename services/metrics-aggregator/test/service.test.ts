import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, postgresBus } from "@slipway/bus";
import { buildTopic, deploymentTopic, watchTopic } from "@slipway/contracts";
import { type RunningHost, readConfig, runHost } from "@slipway/host";
import { addMs, type Instant, systemClock } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { deliveredTwice, type TestDatabase, testDatabase, testEvent, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { metricsAggregator } from "../src/index.ts";

let database: TestDatabase;
let dataDir: string;
let bus: Bus;
let host: RunningHost;

beforeAll(async () => {
  database = await testDatabase(["bus", "access", "metrics", "deployment"]);
  dataDir = await mkdtemp(join(tmpdir(), "slipway-metrics-"));
  bus = postgresBus({ url: database.url("deployment"), log: silentLogger });
  const modules = [deliveredTwice(metricsAggregator)];
  host = await runHost({
    modules,
    config: readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0" }, modules),
    database: { adminUrl: database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
    log: silentLogger,
    signals: false,
  });
});
afterAll(async () => {
  await host.stop();
  await bus.close();
  await database.close();
  await rm(dataDir, { recursive: true });
});

const base = addMs(systemClock.now(), -3_600_000);
const after = (seconds: number) => addMs(base, seconds * 1_000);
const git_sha = "3f2a91c".padEnd(40, "0");

async function report(path: string): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${host.tokens.get("viewer")}` };
  const response = await fetch(`${host.url}/api/v1/reports/${path}`, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

let events = 0;
async function publish(topic: string, subject: string, type: string, time: Instant, data: object): Promise<void> {
  events += 1;
  await bus.publish(topic, [{ ...testEvent(`e-${events}`, subject, data), type, time }]);
}

function about(number: number) {
  return {
    ...{
      deployment_id: `D-${number}`,
      service: "orders",
      environment: "prod",
      version: `orders-3f2a91c-aaaa${number + 1}`,
    },
    ...{ digest: `sha256:${"0".repeat(64)}`, git_sha, regions: ["us-east-1", "eu-west-1"] },
  };
}

async function goodDeployment(number: number): Promise<void> {
  const id = `D-${number}`;
  const topic = deploymentTopic.name;
  await publish(topic, id, "deployment.step_started", after(60), { ...about(number), step: 0, weight_percent: 5 });
  await publish(topic, id, "deployment.succeeded", after(120), { ...about(number), created_at: after(50) });
}

async function badDeployment(number: number): Promise<void> {
  const id = `D-${number}`;
  const counts = { canary_requests: 40, canary_errors: 8, canary_slow: 9, baseline_requests: 760, baseline_errors: 0 };
  const judgement = {
    ...{ step: 0, weight_percent: 5, verdict: "FAIL", sentence: "It fails 20%.", requests_needed: null },
    ...{ counts, regions: {}, window_from: after(201), at: after(205) },
  };
  const epochs = { "us-east-1": 2, "eu-west-1": 2 };
  const topic = watchTopic.name;
  await publish(topic, id, "watch.failed", after(205), { ...about(number), epochs, judgement, first_error_at: null });
  for (const [region, at] of [["us-east-1", 206] as const, ["eu-west-1", 207] as const]) {
    const shut = { ...about(number), region, epoch: 2, seq: 4, at: after(at) };
    await publish(topic, id, "watch.shut_confirmed", after(at), shut);
  }
  const ended = { ...about(number), outcome: "rolled_back", regions: {}, failed_requests: 11 };
  await publish(topic, id, "watch.ended", after(230), ended);
  const rolled = { ...about(number), reason: "It fails 20%." };
  await publish(deploymentTopic.name, id, "deployment.step_started", after(200), {
    ...{ ...about(number), step: 0, weight_percent: 5 },
  });
  await publish(deploymentTopic.name, id, "deployment.rolled_back", after(220), rolled);
}

/** Verified, found bad by a person, and led away from by the next. */
async function badLater(number: number): Promise<void> {
  await goodDeployment(number);
  const bad = { ...about(number), reason: "it smells", by: "ada", way_back: `D-${number + 1}` };
  await publish(deploymentTopic.name, `D-${number}`, "deployment.found_bad", after(600), bad);
  await publish(deploymentTopic.name, `D-${number + 1}`, "deployment.succeeded", after(603), {
    ...about(number + 1),
    created_at: after(600),
  });
}

test("before anything happened the figures are unknown, not zero", async () => {
  expect(await report("dora")).toEqual({
    days: 30,
    deployments: 0,
    deployments_per_day: 0,
    lead_time_seconds: null,
    change_failure_percent: null,
    recovery_seconds: null,
  });
});

test("events of builds, deployments and watches become the figures and the cost of the bad one", async () => {
  const queued = { build_id: "B-1", service: "orders", git_sha, ref: "main", author: "alice", committed_at: after(0) };
  await publish(buildTopic.name, "B-1", "build.queued", after(10), queued);
  await goodDeployment(1);
  await badDeployment(2);
  const cancelled = { ...about(3), reason: "never mind" };
  await publish(deploymentTopic.name, "D-3", "deployment.cancelled", after(300), cancelled);

  const complete = {
    days: 10,
    deployments: 2,
    deployments_per_day: 0.2,
    lead_time_seconds: 120,
    change_failure_percent: 50,
    recovery_seconds: 7,
  };
  await until(async () => expect(await report("dora?days=10")).toEqual(complete) ?? true, { what: "the figures" });
  await until(async () => (await badOnes())[0]?.failed_requests === 11, { what: "the final count" });

  expect(await badOnes()).toEqual([
    {
      ...{ deployment_id: "D-2", service: "orders", environment: "prod", version: "orders-3f2a91c-aaaa3" },
      ...{
        failed_requests: 11,
        slow_requests: 9,
        max_weight_percent: 5,
        reason: "It fails 20%.",
        seconds: 7,
        ended_at: after(207),
      },
    },
  ]);
});

async function badOnes(query = ""): Promise<Record<string, unknown>[]> {
  return (await report(`bad-deployments${query}`)).bad_deployments as Record<string, unknown>[];
}

test("reports are of the service, environment and days asked for", async () => {
  expect(await report("dora?service=payments")).toMatchObject({ deployments: 0 });
  expect(await report("dora?service=orders&environment=staging")).toMatchObject({ deployments: 0 });
  expect(await report("dora?service=orders&environment=prod&days=1")).toMatchObject({ deployments: 2 });
  expect(await badOnes("?environment=staging")).toEqual([]);
});

test("the events of a topic are read from the first one on, a page at a time, and another position is refused", async () => {
  const read = async (query: string) => {
    const headers = { authorization: `Bearer ${host.tokens.get("viewer")}` };
    const answer = await fetch(`${host.url}/api/v1/events?${query}`, { headers });
    return { status: answer.status, body: (await answer.json()) as { events: { type: string }[]; next: string } };
  };
  const topic = `topic=${watchTopic.name}`;
  const first = await read(`${topic}&from=0&page_size=2`);
  const rest = await read(`${topic}&from=${first.body.next}`);
  const end = await read(`${topic}&from=${rest.body.next}`);

  expect([...first.body.events, ...rest.body.events].map(({ type }) => type)).toEqual([
    "watch.failed",
    "watch.shut_confirmed",
    "watch.shut_confirmed",
    "watch.ended",
  ]);
  expect(end.body).toEqual({ events: [], next: rest.body.next });
  for (const query of [`${topic}&from=7`, `${topic}&from=x`, "topic=slipway.gossip.v1"])
    expect((await read(query)).status).toBe(400);
});

test("a deployment that was found bad after it was verified counts as bad, restored when what leads away from it serves", async () => {
  await badLater(4);

  await until(async () => (await badOnes()).some(({ deployment_id: id, seconds }) => id === "D-4" && seconds === 3), {
    what: "the bad one to be restored",
  });
  expect((await badOnes()).find(({ deployment_id: id }) => id === "D-4")).toMatchObject({
    ...{ reason: "it smells", max_weight_percent: 100, seconds: 3, ended_at: after(603) },
  });
});
