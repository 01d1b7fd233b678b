import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requestHash } from "../src/idempotency.ts";
import { type Example, problem, startNotes } from "./start-notes.ts";

let example: Example;
beforeAll(async () => {
  example = await startNotes();
});
afterAll(async () => {
  await example.close();
});

const post = (key: string, body: unknown, more: { as?: string; query?: string } = {}) =>
  example.fetch(`/api/v1/notes${more.query ?? ""}`, {
    method: "POST",
    body,
    as: more.as ?? "deployer",
    headers: { "idempotency-key": key },
  });

type ClaimTable = {
  idempotency: { principal: string; endpoint: string; key: string; request_hash: string; locked_until: string };
};
const claims = () => example.database.db<ClaimTable>("notification").selectFrom("idempotency");

const times = (text: string): number => example.notes.kept.filter((kept) => kept === text).length;

test("the same request twice is done once and answered the same", async () => {
  const first = await post("once", { text: "once" });
  const second = await post("once", { text: "once" });

  expect([first.status, second.status]).toEqual([201, 201]);
  expect(await second.json()).toEqual(await first.json());
  expect(second.headers.get("idempotent-replayed")).toBe("true");
  expect(times("once")).toBe(1);
});

test("twenty at once are done once: the others hear that it is under way, and later its answer", async () => {
  const gate = Promise.withResolvers<void>();
  example.notes.gate = gate.promise;
  const statuses: number[] = [];
  const all = Array.from({ length: 20 }, async () => {
    const response = await post("crowd", { text: "crowd" });
    statuses.push(response.status);
    // The one that performs answers last: it is let through once all others have been turned away.
    if (statuses.length === 19) gate.resolve();
    if (response.status !== 409) return;
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await problem(response)).toMatchObject({ code: "idempotency.in_flight" });
  });
  await Promise.all(all);

  expect(statuses.filter((status) => status === 409)).toHaveLength(19);
  expect(statuses.at(-1)).toBe(201);
  expect((await post("crowd", { text: "crowd" })).status).toBe(201);
  expect(times("crowd")).toBe(1);
});

test("another body under the same key is refused", async () => {
  await post("mismatch", { text: "one" });
  const response = await post("mismatch", { text: "two" });

  expect(response.status).toBe(422);
  expect(await problem(response)).toMatchObject({ code: "idempotency.mismatch" });
  expect(times("two")).toBe(0);
});

test("a key belongs to its caller and its endpoint", async () => {
  await post("shared", { text: "mine" });
  const other = await post("shared", { text: "yours" }, { as: "admin" });
  const elsewhere = await example.fetch("/api/v1/notes/nudge", {
    method: "POST",
    headers: { "idempotency-key": "shared" },
  });

  expect(other.status).toBe(201);
  expect(elsewhere.status).toBe(202);
});

test("a refusal changed nothing, so its key is free again", async () => {
  expect((await post("again", { text: "refuse me" })).status).toBe(409);
  expect((await post("again", { text: "again" })).status).toBe(201);
});

test("a dry run leaves no answer behind", async () => {
  expect((await post("dry", { text: "dry" }, { query: "?validate_only=true" })).status).toBe(201);
  const real = await post("dry", { text: "dry" });

  expect(real.headers.get("idempotent-replayed")).toBeNull();
});

test("a claim of a process that died is taken over once its time is up", async () => {
  const text = "orphan";
  const row = {
    principal: "deployer",
    endpoint: "makeNote",
    key: "orphan",
    request_hash: requestHash({ params: {}, query: {}, body: { text } }),
  };
  const table = example.database.db<ClaimTable>("notification");
  await table
    .insertInto("idempotency")
    .values({ ...row, locked_until: "2100-01-01T00:00:00Z" })
    .execute();
  const early = await post("orphan", { text });
  await table
    .updateTable("idempotency")
    .set({ locked_until: "2000-01-01T00:00:00Z" })
    .where("key", "=", "orphan")
    .execute();
  const late = await post("orphan", { text });

  expect(early.status).toBe(409);
  expect(late.status).toBe(201);
  expect(times(text)).toBe(1);
});

test("a claim is kept while its request is being handled", async () => {
  const gate = Promise.withResolvers<void>();
  example.notes.gate = gate.promise;
  const heldUntil = async () => {
    const row = await claims().select("locked_until").where("key", "=", "slow").executeTakeFirst();
    return Date.parse(row?.locked_until ?? "");
  };
  const answer = post("slow", { text: "slow" });
  const first = await until(heldUntil, { what: "the claim" });
  await until(async () => (await heldUntil()) > first, { what: "the claim to be renewed" });
  gate.resolve();

  expect((await answer).status).toBe(201);
});

test("a key that is no key is refused before anything happens", async () => {
  const response = await post("x".repeat(201), { text: "long" });

  expect(response.status).toBe(400);
  expect(await problem(response)).toMatchObject({ errors: [{ at: "/headers/idempotency-key" }] });
  expect(times("long")).toBe(0);
});
