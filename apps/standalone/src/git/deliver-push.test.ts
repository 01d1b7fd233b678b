import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deliverPush, type HookFile } from "./deliver-push.ts";

const noCommit = "0".repeat(40);
let folder = "";
let sha = "";
let answer = { status: 202, body: "" };
const received: { headers: IncomingMessage["headers"]; body: string }[] = [];
const server = createServer((request, response) => {
  void text(request).then((body) => {
    received.push({ headers: request.headers, body });
    response.writeHead(answer.status).end(answer.body);
  });
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "slipway-push-"));
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...args], { cwd: folder })
      .toString()
      .trim();
  git("init", "--quiet", "--initial-branch=main");
  writeFileSync(join(folder, "a"), "1");
  git("add", "a");
  git("commit", "--quiet", "-m", "feat: a\n\nwhy");
  sha = git("rev-parse", "HEAD");
  received.length = 0;
  answer = { status: 202, body: JSON.stringify({ build_id: "B-7" }) };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const hook = (): HookFile => ({
  repository: folder,
  url: "http://127.0.0.1:7400/git/orders.git",
  webhook: `http://127.0.0.1:${(server.address() as AddressInfo | null)?.port ?? 9}/webhooks/github`,
  secret: "s3cret",
  fullName: "local/orders",
});
const push = (after = sha) => ({ before: noCommit, after, ref: "refs/heads/main" });

describe("a push that is delivered", () => {
  test("is signed over exactly the bytes that are sent, and tells of the commit as GitHub would", async () => {
    expect(await deliverPush(hook(), push())).toEqual({ said: "build accepted", buildId: "B-7" });
    const [{ headers, body } = { headers: {}, body: "" }] = received;
    const signature = createHmac("sha256", "s3cret").update(body).digest("hex");
    expect(headers["x-hub-signature-256"]).toBe(`sha256=${signature}`);
    expect(headers["x-github-event"]).toBe("push");
    expect(JSON.parse(body)).toMatchObject({
      ref: "refs/heads/main",
      ...{ after: sha, created: true, deleted: false },
      head_commit: { id: sha, message: "feat: a\n\nwhy", author: { name: "Ada", email: "ada@example.com" } },
      repository: { full_name: "local/orders", clone_url: "http://127.0.0.1:7400/git/orders.git" },
    });
  });

  test("has the same delivery id each time, and another one for another push", async () => {
    await deliverPush(hook(), push());
    await deliverPush(hook(), push());
    await deliverPush(hook(), { ...push(), ref: "refs/heads/other" });
    const ids = received.map(({ headers }) => headers["x-github-delivery"]);
    expect(ids[0]).toBe(ids[1]);
    expect(ids[0]).not.toBe(ids[2]);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("of a deleted branch names no commit", async () => {
    await deliverPush(hook(), { ...push(noCommit), before: sha });
    expect(JSON.parse(received[0]?.body ?? "")).toMatchObject({ deleted: true, head_commit: null, commits: [] });
  });
});

describe("a delivery that fails", () => {
  test("tells the pusher what the build service answered", async () => {
    answer = { status: 401, body: "webhook.signature" };
    expect(await deliverPush(hook(), push())).toEqual({ said: "the build service answered 401: webhook.signature" });
  });

  test("tells the pusher in words that nothing is built for a tag", async () => {
    answer = { status: 200, body: JSON.stringify({ ignored: "refs/tags/v1 is not a branch" }) };
    expect(await deliverPush(hook(), { ...push(), ref: "refs/tags/v1" })).toEqual({
      said: "nothing is built for it: refs/tags/v1 is not a branch",
    });
  });

  test("tells the pusher that nobody answered, and does not throw", async () => {
    const away = { ...hook(), webhook: "http://127.0.0.1:1/webhooks/github" };
    expect((await deliverPush(away, push())).said).toMatch(/was not told .*push again/);
  });

  test("does not throw for a commit that is not there either", async () => {
    expect((await deliverPush(hook(), push("f".repeat(40)))).said).toMatch(/was not told .*f{7}/s);
  });
});
