import { createHmac, randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetDeliveries } from "../src/store.ts";
import type { BuildTables } from "../src/tables.ts";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, pushBody, secret, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let orders: TestRepository;
let sha = "";

beforeAll(async () => {
  // No build gets a place: this is about accepting them.
  platform = await startBuildService();
  orders = await testRepository(platform.folder, "orders", false);
  await platform.register("orders", orders.url);
  sha = await orders.commit({ "slipway.yaml": "nothing yet" });
});
afterAll(() => platform.close());

async function buildCount(): Promise<number> {
  const { builds } = (await (await platform.fetch("/api/v1/builds?page_size=500")).json()) as { builds: unknown[] };
  return builds.length;
}

test("a signed push is answered 202 with its build, which is there at once", async () => {
  const answer = await platform.push({ url: orders.url, sha });

  expect(answer.status).toBe(202);
  const body = (await answer.json()) as { build_id: string };
  expect(body).toMatchObject({ service: "orders", git_sha: sha });
  expect(await platform.view(body.build_id)).toMatchObject({ git_sha: sha, ref: "refs/heads/main", author: "Ada" });
});

test("a push that GitHub sends as a form is taken like one that it sends as JSON, signed over the form", async () => {
  const pushed = await orders.commit({ "slipway.yaml": "something else" });
  const body = `payload=${encodeURIComponent(pushBody({ url: orders.url, sha: pushed }))}`;
  const type = "application/x-www-form-urlencoded";

  const answer = await platform.push({ url: orders.url, sha: pushed, body, type });

  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ service: "orders", git_sha: pushed });
});

test.each([
  ["no signature", { signature: null }, 401, "webhook.signature_missing"],
  ["another secret's signature", { signature: sign("other") }, 401, "webhook.signature_invalid"],
  ["a short signature", { signature: "sha256=00" }, 401, "webhook.signature_invalid"],
  ["an unknown repository", { url: "https://example.com/unknown.git" }, 404, "webhook.repository_unknown"],
  ["a body that is no JSON", { body: "{" }, 400, "webhook.payload_invalid"],
  ["a push without a commit", { more: { after: undefined } }, 400, "webhook.payload_invalid"],
])("%s is refused and builds nothing", async (_what, more, status, code) => {
  const before = await buildCount();

  const answer = await platform.push({ url: orders.url, sha, ...more });

  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject({ status, code });
  expect(await buildCount()).toBe(before);
});

test.each([
  ["no event", "x-github-event"],
  ["no delivery id", "x-github-delivery"],
])("%s is refused by the name of its header", async (_what, name) => {
  const headers: Record<string, string> = {
    ...{ "content-type": "application/json", "x-hub-signature-256": sign(secret) },
    ...{ "x-github-event": "push", "x-github-delivery": "1" },
  };
  delete headers[name];

  const answer = await fetch(`${platform.host.url}/webhooks/github`, { method: "POST", headers, body: "{}" });

  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: "webhook.payload_invalid", detail: expect.stringContaining(name) });
});

test("a body that GitHub would never send is refused before it is read whole", async () => {
  const before = await buildCount();

  const { status, text } = await sentPartly(27 * 1_048_576);

  expect(status).toBe(413);
  expect(JSON.parse(text)).toMatchObject({ code: "request.too_large" });
  expect(await buildCount()).toBe(before);
});

test("an author that no database can hold is shown as well as it can be", async () => {
  const name = `A\0da ${"x".repeat(194)}\u{1F600}`;
  const more = { head_commit: { id: sha, timestamp: "now", author: { name } } };

  const answer = await platform.push({ url: orders.url, sha, more });

  expect(answer.status).toBe(202);
  const { author } = await platform.view(await platform.buildOf(answer));
  expect(author).toMatch(/^A\uFFFDda x+\uFFFD$/);
});

test.each([["refs/heads/a\0b"], ["refs/heads/a b"], ["refs/heads/a\nb"], ["refs/heads/\ud83d"]])(
  "a ref that git would not make (%j) is refused by name",
  async (ref) => {
    const answer = await platform.push({ url: orders.url, sha, ref });

    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "webhook.payload_invalid",
      detail: expect.stringContaining("ref:"),
    });
  },
);

test("every refusal is a problem that says what to do or what is wrong", async () => {
  const answer = await platform.push({ url: "https://example.com/unknown.git", sha });

  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(await answer.json()).toMatchObject({
    detail: "No service has the repository example.com/unknown.",
    remedy: "An admin registers it: slipway repositories set SERVICE URL.",
  });
});

test("a body in another encoding than was signed is refused", async () => {
  const body = pushBody({ url: orders.url, sha });
  const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

  const answer = await platform.push({ url: orders.url, sha, body: `${body} `, signature });

  expect(answer.status).toBe(401);
});

test.each([
  ["a ping", { event: "ping" }],
  ["an event of another kind", { event: "issues" }],
  ["a push of a tag", { ref: "refs/tags/v1.0.0" }],
  ["a deleted branch", { more: { deleted: true, after: "0".repeat(40), head_commit: null } }],
])("%s is accepted and builds nothing", async (_what, more) => {
  const before = await buildCount();

  const answer = await platform.push({ url: orders.url, sha, ...more });

  expect(answer.status).toBe(200);
  expect(await answer.json()).toHaveProperty("ignored");
  expect(await buildCount()).toBe(before);
});

test("a delivery that comes again gets the same answer and no second build", async () => {
  const push = { url: orders.url, sha, delivery: randomUUID(), more: { pushed: 1 } };
  const first = await platform.push(push);
  const before = await buildCount();

  const second = await platform.push(push);

  expect(second.status).toBe(first.status);
  expect(await second.json()).toEqual(await first.json());
  expect(await buildCount()).toBe(before);
});

test("a copied delivery under another id is no new push: the id is not signed", async () => {
  const push = { url: orders.url, sha, more: { pushed: 2 } };
  const first = await platform.push(push);

  const second = await platform.push({ ...push, delivery: randomUUID() });

  expect(await second.json()).toEqual(await first.json());
});

test("twenty copies at once make one build", async () => {
  const push = { url: orders.url, sha, delivery: randomUUID(), more: { pushed: 3 } };
  const before = await buildCount();

  const answers = await Promise.all(Array.from({ length: 20 }, () => platform.push(push)));

  const bodies = await Promise.all(answers.map((answer) => answer.json()));
  expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
  expect(await buildCount()).toBe(before + 1);
});

test("two pushes of one commit are two builds", async () => {
  const one = await platform.buildOf(await platform.push({ url: orders.url, sha, more: { pushed: 4 } }));
  const two = await platform.buildOf(await platform.push({ url: orders.url, sha, more: { pushed: 5 } }));

  expect(one).not.toBe(two);
});

test("a delivery is forgotten in time: the same one builds again then, and not before", async () => {
  const db = platform.database.db<BuildTables>("build");
  const push = { url: orders.url, sha, more: { pushed: 77 }, delivery: "kept-for-long" };
  const first = await platform.buildOf(await platform.push(push));
  await sql`
    update delivery set received_at = received_at - interval '100 days' where delivery_id = 'kept-for-long'`.execute(
    db,
  );

  await forgetDeliveries(db, 101 * 86_400_000);
  const kept = await platform.buildOf(await platform.push(push));
  await forgetDeliveries(db, 90 * 86_400_000);
  const again = await platform.buildOf(await platform.push(push));

  expect(kept).toBe(first);
  expect(again).not.toBe(first);
});

test("what is neither JSON nor a form is refused", async () => {
  const answer = await fetch(`${platform.host.url}/webhooks/github`, {
    method: "POST",
    headers: { "x-github-event": "push", "x-github-delivery": "1", "content-type": "text/plain" },
    body: "{}",
  });

  expect(answer.status).toBe(415);
});

/** Announces so many bytes and sends few: the answer has to come by itself. */
function sentPartly(length: number): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": length, "x-github-event": "push" };
    const sent = httpRequest(`${platform.host.url}/webhooks/github`, { method: "POST", headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => {
        sent.destroy();
        resolve({ status: answer.statusCode, text });
      });
    });
    sent.on("error", reject);
    sent.write("{");
  });
}

function sign(key: string): string {
  return `sha256=${createHmac("sha256", key).update("x").digest("hex")}`;
}
