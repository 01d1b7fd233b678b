import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buildTopic, type CloudEvent } from "@slipway/contracts";
import type { RunningHost } from "@slipway/host";
import { type Logger, silentLogger } from "@slipway/sql";
import { freePort, testEvent, until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Home, openHome } from "./start-service.ts";

/** A webhook that somebody took away answers 404 for good; a Slack that is away answers nothing. */

let home: Home;
let webhook: Server;
let answer: { status: number; body: string };
let said: string[];
const log: Logger = {
  ...silentLogger,
  warn: (about, message) => {
    if (message.startsWith("notification")) said.push(`${message}: ${JSON.stringify(about)}`);
  },
};

beforeEach(async () => {
  said = [];
  home = await openHome();
  webhook = createServer((request, response) => {
    request.resume();
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  webhook.close();
  await home.close();
});

const start = (port: number) =>
  home.start({ SLIPWAY_SLACK_WEBHOOK_URL: `http://127.0.0.1:${port}/services/SECRET` }, { log });
const webhookPort = () => (webhook.address() as AddressInfo).port;

function buildFailed(number: number): CloudEvent {
  const data = {
    build_id: `B-${number}`,
    service: "orders",
    git_sha: "a".repeat(40),
    reason: "no",
    step: "unit",
    ms: 5,
  };
  return { ...testEvent(`build-${number}`, data.build_id, data), type: "build.failed", source: "build-service" };
}

async function metric(host: RunningHost, name: string): Promise<number> {
  const page = await (await fetch(`${host.url}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{channel="slack"\\} (.+)$`, "m").exec(page)?.[1] ?? Number.NaN);
}

test("a webhook that is gone is a warning in the log once, a warning of readiness and a figure, until one is taken", async () => {
  answer = { status: 404, body: "no_service" };
  const host = await start(webhookPort());
  try {
    await home.bus.publish(buildTopic.name, [buildFailed(1), buildFailed(2)]);
    await until(async () => (await metric(host, "slipway_notifications_given_up")) === 2, {
      what: "both to be refused",
    });

    expect(said).toEqual([expect.stringContaining("notification not sent")]);
    expect(said[0]).toContain("HTTP 404 no_service");
    expect(await home.trouble()).toEqual([
      "Slack takes no notifications, they are in /inbox alone (HTTP 404 no_service): correct SLIPWAY_SLACK_WEBHOOK_URL, or make a new webhook",
    ]);

    answer = { status: 200, body: "ok" };
    await home.bus.publish(buildTopic.name, [buildFailed(3)]);
    await until(async () => (await metric(host, "slipway_notifications_given_up")) === 0, { what: "one to be taken" });
    expect(await home.trouble()).toEqual([]);
  } finally {
    await host.stop();
  }
});

test("what waits for a Slack that does not answer is told with its age, and goes out after a start with another address", async () => {
  answer = { status: 200, body: "ok" };
  const away = await start(await freePort());
  await home.bus.publish(buildTopic.name, [buildFailed(1)]);
  await until(async () => (await home.trouble()).length > 0, { what: "the third vain attempt" });
  expect(await metric(away, "slipway_notifications_oldest_pending_seconds")).toBeGreaterThan(2);
  expect(await home.trouble()).toEqual([expect.stringContaining("(no answer: ECONNREFUSED)")]);
  await away.stop();
  expect(said).toEqual([expect.stringContaining("no answer: ECONNREFUSED")]);

  const host = await start(webhookPort());
  try {
    await until(async () => (await metric(host, "slipway_notifications_oldest_pending_seconds")) === 0, {
      what: "it to be sent",
    });
    expect(await metric(host, "slipway_notifications_given_up")).toBe(0);
  } finally {
    await host.stop();
  }
});
