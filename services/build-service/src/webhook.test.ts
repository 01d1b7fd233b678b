import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readPush, readWebhook, signatureMatches } from "./webhook.ts";

const secret = "It's a Secret to Everybody";
const sha = "3f2a91c0b7f1e6a1d2c3b4a5968778695a4b3c2d";

test("the signature of GitHub's own documentation holds", () => {
  const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

  expect(signatureMatches(Buffer.from("Hello, World!"), secret, signature)).toBe(true);
});

describe("a signature does not hold", () => {
  const body = Buffer.from('{"ref":"refs/heads/main"}');
  const good = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

  test.each([
    ["when a byte of the body changed", Buffer.from('{"ref":"refs/heads/mbin"}'), secret, good],
    ["under another secret", body, "another secret", good],
    ["when its last digit changed", body, secret, `${good.slice(0, -1)}${good.endsWith("0") ? "1" : "0"}`],
    ["when it is short", body, secret, good.slice(0, -2)],
    ["when it is longer", body, secret, `${good}00`],
    ["in upper case", body, secret, good.toUpperCase()],
    ["without its prefix", body, secret, good.slice(7)],
    ["when it is SHA-1", body, secret, `sha1=${createHmac("sha1", secret).update(body).digest("hex")}`],
    ["when it is empty", body, secret, ""],
  ])("%s", (_why, bytes, key, signature) => {
    expect(signatureMatches(bytes, key, good)).toBe(key === secret && bytes === body);
    expect(signatureMatches(bytes, key, signature)).toBe(false);
  });
});

describe("a push", () => {
  const push = {
    ref: "refs/heads/main",
    after: sha,
    head_commit: { id: sha, timestamp: "2026-11-20T10:00:00+02:00", author: { name: "Ada" } },
    repository: { clone_url: "https://github.com/acme/orders.git", ssh_url: "git@github.com:acme/orders.git" },
  };

  test("to a branch names its commit, author and time", () => {
    expect(readPush("push", push)).toEqual({
      kind: "push",
      gitSha: sha,
      ref: "refs/heads/main",
      author: "Ada",
      committedAt: new Date("2026-11-20T08:00:00Z"),
    });
  });

  test.each([
    ["a ping", "ping", push],
    ["another event", "issues", push],
    ["a tag", "push", { ...push, ref: "refs/tags/v1" }],
    ["a note", "push", { ...push, ref: "refs/notes/x" }],
    ["a deleted branch", "push", { ...push, deleted: true }],
    ["a branch that points at nothing", "push", { ...push, after: "0".repeat(40), head_commit: null }],
  ])("%s is ignored", (_what, event, payload) => {
    expect(readPush(event, payload)).toMatchObject({ kind: "ignored" });
  });

  test.each([
    ["a commit that is no hash", { ...push, after: "main; rm -rf /" }],
    ["no ref", { ...push, ref: undefined }],
    ["a ref that is no text", { ...push, ref: 7 }],
  ])("%s is unreadable", (_what, payload) => {
    expect(readPush("push", payload)).toMatchObject({ kind: "unreadable" });
  });

  test("without author or time is built all the same", () => {
    const bare = { ref: push.ref, after: sha, repository: push.repository };

    expect(readPush("push", bare)).toMatchObject({ kind: "push", author: "unknown", committedAt: undefined });
  });

  test("names its repository by every spelling of its URL", () => {
    expect(readWebhook(Buffer.from(JSON.stringify(push)))).toMatchObject({ matchKeys: ["github.com/acme/orders"] });
  });
});

test.each([
  ["no JSON", Buffer.from("{")],
  ["no UTF-8", Buffer.from([0x7b, 0xff, 0x7d])],
  ["no object", Buffer.from("[]")],
  ["no repository", Buffer.from("{}")],
])("a body that is %s is unreadable", (_what, body) => {
  expect(readWebhook(body)).toMatchObject({ kind: "unreadable" });
});
