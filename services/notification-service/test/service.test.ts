import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buildTopic, type CloudEvent, deploymentTopic, notificationTopic, watchTopic } from "@slipway/contracts";
import type { RunningHost } from "@slipway/host";
import { testEvent, until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Home, openHome } from "./start-service.ts";

type Answer = { status: number; headers?: Record<string, string>; body?: string };
type Received = { at: number; text: string };

/** An incoming webhook that gives the scripted answers first, then 200. */
function slack() {
  const answers: Answer[] = [];
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      received.push({ at: performance.now(), text: JSON.parse(body).text });
      const answer = answers.shift() ?? { status: 200, body: "ok" };
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  return { answers, received, server };
}

let home: Home;
const webhook = slack();
const startHost = (env: Record<string, string> = {}): Promise<RunningHost> => home.start(env);

beforeAll(async () => {
  home = await openHome();
  await new Promise<void>((resolve) => webhook.server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  webhook.server.close();
  await home.close();
});

const git_sha = "3f2a91c".padEnd(40, "0");
const about = { deployment_id: "D-7", service: "orders", environment: "prod", version: "orders-3f2a91c-x7k2p" };

function buildFailed(number: number): CloudEvent {
  const build_id = `B-${number}`;
  const data = { build_id, service: "orders", git_sha, reason: "exit code 1", step: "unit", ms: 5 };
  return { ...testEvent(`build-${number}`, build_id, data), type: "build.failed", source: "build-service" };
}

type Listed = {
  notifications: (Record<"notification_id" | "about" | "title" | "text" | "channel" | "state", string> & {
    attempts: number;
  })[];
  next_page_token: string | null;
};

async function listed(host: RunningHost, query = ""): Promise<Listed> {
  const headers = { authorization: `Bearer ${host.tokens.get("viewer")}` };
  const response = await fetch(`${host.url}/api/v1/notifications${query}`, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Listed;
}

async function announced(): Promise<Record<string, unknown>[]> {
  const { events } = await home.bus.read(notificationTopic.name, 0, 100);
  return events.map(({ type, data }) => ({ type, ...(data as object) }));
}

describe("without a Slack webhook", () => {
  test("an event becomes one notification in the inbox, however often it comes, and that is published", async () => {
    const host = await startHost();
    try {
      await home.bus.publish(buildTopic.name, [buildFailed(1)]);
      await home.bus.publish(watchTopic.name, [buildFailed(1)]);
      await home.bus.publish(buildTopic.name, [{ ...buildFailed(1), id: "other-id", type: "build.started" }]);
      await until(async () => (await announced()).length === 1, { what: "the delivery to be published" });

      expect((await listed(host)).notifications).toEqual([
        expect.objectContaining({
          notification_id: "N-1",
          about: "B-1",
          channel: "inbox",
          state: "delivered",
          title: "Build failed: orders at 3f2a91c (B-1)",
        }),
      ]);
      expect(await announced()).toEqual([
        { type: "notification.delivered", notification_id: "N-1", about: "B-1", channel: "inbox", attempts: 1 },
      ]);
    } finally {
      await host.stop();
    }
  });

  test("a caught deployment waits for what is known of it, and its line names the baseline", async () => {
    const host = await startHost();
    try {
      const counts = { canary_requests: 40, canary_errors: 8, baseline_requests: 760, baseline_errors: 0 };
      const at = "2026-01-01T00:00:00.000Z";
      const judgement = {
        ...{ step: 0, weight_percent: 5, verdict: "FAIL", sentence: "It fails 20%.", requests_needed: null },
        ...{ counts, regions: { "us-east-1": counts }, window_from: at, at },
      };
      const epochs = { "us-east-1": 1 };
      const failed = testEvent("watch-1", "D-7", { ...about, epochs, judgement, first_error_at: at });
      await home.bus.publish(watchTopic.name, [{ ...failed, type: "watch.failed" }]);
      const accepted = testEvent("deployment-1", "D-7", {
        ...{ ...about, digest: `sha256:${"0".repeat(64)}`, git_sha, regions: ["us-east-1"] },
        ...{ strategy: "canary", requested_by: "alice", baselines: { "us-east-1": "orders-1111111-aaaaa" } },
      });
      await home.bus.publish(deploymentTopic.name, [{ ...accepted, type: "deployment.accepted" }]);

      const found = await until(async () => (await listed(host)).notifications.find((one) => one.about === "D-7"), {
        what: "the notification of the caught deployment",
      });
      expect(found.title).toBe("Bad deployment caught at 5%: orders in prod (D-7)");
      expect(found.text).toContain("kubectl --context us-east-1 -n prod patch virtualservice orders");
      expect(found.text).toContain(`"host":"orders-1111111-aaaaa"},"weight":100`);

      // Another version came to 100% while this one waited for its turn.
      const opened = testEvent("deployment-2", "D-7", {
        ...{ ...about, digest: `sha256:${"0".repeat(64)}`, git_sha, regions: ["us-east-1"] },
        baselines: { "us-east-1": "orders-2222222-bbbbb" },
      });
      const back = testEvent("deployment-3", "D-7", {
        ...{ ...about, digest: `sha256:${"0".repeat(64)}`, git_sha, regions: ["us-east-1"] },
        reason: "It fails 20%.",
      });
      await home.bus.publish(deploymentTopic.name, [
        { ...opened, type: "deployment.opened" },
        { ...back, type: "deployment.rolled_back" },
      ]);
      const takenBack = await until(
        async () => (await listed(host)).notifications.find(({ title }) => title.startsWith("Taken back")),
        { what: "the notification of its end" },
      );
      expect(takenBack.text).toContain(`"host":"orders-2222222-bbbbb"},"weight":100`);

      const basic = Buffer.from(`me:${host.tokens.get("viewer")}`).toString("base64");
      const page = await fetch(`${host.url}/inbox`, { headers: { authorization: `Basic ${basic}` } });
      expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(await page.text()).toContain(`<article id="D-7" class="problem">`);
      expect((await fetch(`${host.url}/inbox`)).status).toBe(401);
    } finally {
      await host.stop();
    }
  });

  test("the list is read page by page, newest first", async () => {
    const host = await startHost();
    try {
      const first = await listed(host, "?page_size=1");
      const second = await listed(host, `?page_size=1&page_token=${first.next_page_token}`);
      const third = await listed(host, `?page_size=1&page_token=${second.next_page_token}`);

      expect(first.notifications).toMatchObject([{ about: "D-7" }]);
      expect(second.notifications).toMatchObject([{ about: "D-7" }]);
      expect(third).toMatchObject({ notifications: [{ about: "B-1" }], next_page_token: null });
    } finally {
      await host.stop();
    }
  });
});

describe("with a Slack webhook", () => {
  test("messages go out in order, at most one a second, again after 500 and 429, and not after a refusal", async () => {
    const { port } = webhook.server.address() as AddressInfo;
    webhook.answers.push(
      { status: 500 },
      { status: 429, headers: { "retry-after": "2" } },
      { status: 200 },
      { status: 400, body: "invalid_blocks" },
    );
    const host = await startHost({ SLIPWAY_SLACK_WEBHOOK_URL: `http://127.0.0.1:${port}/services/SECRET` });
    try {
      await home.bus.publish(buildTopic.name, [buildFailed(2)]);
      await until(async () => (await listed(host)).notifications[0]?.about === "B-2", { what: "the first one" });
      await home.bus.publish(buildTopic.name, [buildFailed(3)]);
      await until(async () => (await listed(host)).notifications[0]?.about === "B-3", { what: "the second one" });
      await home.bus.publish(buildTopic.name, [buildFailed(4)]);
      await until(async () => (await announced()).length === 6, { what: "all to be published", timeoutMs: 50_000 });

      const { notifications } = await listed(host, "?page_size=3");
      expect(notifications.map(({ about, state, attempts }) => [about, state, attempts])).toEqual([
        ["B-4", "delivered", 1],
        ["B-3", "failed", 1],
        ["B-2", "delivered", 3],
      ]);
      const texts = webhook.received.map(({ text }) => /\(B-\d+\)/.exec(text)?.[0]);
      expect(texts).toEqual(["(B-2)", "(B-2)", "(B-2)", "(B-3)", "(B-4)"]);
      const gaps = webhook.received.slice(1).map(({ at }, n) => at - (webhook.received[n]?.at ?? 0));
      for (const gap of gaps) expect(gap).toBeGreaterThan(950);
      expect(gaps[1]).toBeGreaterThan(1_950);
      const failed = (await announced()).find((one) => one.type === "notification.failed");
      expect(failed).toEqual({
        type: "notification.failed",
        notification_id: notifications[1]?.notification_id,
        about: "B-3",
        channel: "slack",
        attempts: 1,
        reason: "HTTP 400 invalid_blocks",
      });
    } finally {
      await host.stop();
    }
  });

  test("what was not sent when the webhook is taken away is in the inbox, and nothing tells its URL", async () => {
    const closed = await startHost({ SLIPWAY_SLACK_WEBHOOK_URL: "http://127.0.0.1:9/services/SECRET" });
    await home.bus.publish(buildTopic.name, [buildFailed(5)]);
    const waiting = await until(
      async () => (await listed(closed)).notifications.find((one) => one.about === "B-5" && one.attempts === 1),
      { what: "the first vain attempt" },
    );
    expect(waiting).toMatchObject({ state: "pending", channel: "slack" });
    const basic = Buffer.from(`me:${closed.tokens.get("viewer")}`).toString("base64");
    const page = await (await fetch(`${closed.url}/inbox`, { headers: { authorization: `Basic ${basic}` } })).text();
    expect(page).toMatch(/slack: pending after \d attempt/);
    expect(page).not.toContain("SECRET");
    await closed.stop();

    const host = await startHost();
    try {
      expect((await listed(host)).notifications[0]).toMatchObject({
        about: "B-5",
        state: "delivered",
        channel: "inbox",
      });
    } finally {
      await host.stop();
    }
  });
});
