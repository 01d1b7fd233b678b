import { until } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Example, problem, startNotes } from "./start-notes.ts";

let example: Example;
beforeAll(async () => {
  example = await startNotes();
});
afterAll(async () => {
  await example.close();
});

const post = (body: unknown, headers: Record<string, string> = {}) =>
  example.fetch("/api/v1/notes", { method: "POST", body, headers });

describe("who may call", () => {
  test("without a token every endpoint says what to send", async () => {
    const response = await example.fetch("/api/v1/notes", { as: null });

    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(await problem(response)).toMatchObject({ code: "auth.missing", status: 401, remedy: expect.any(String) });
  });

  test("a mistyped token is told apart from none", async () => {
    const token = example.host.tokens.get("viewer") ?? "";
    const response = await example.fetch("/api/v1/notes", {
      as: `${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`,
    });

    expect(response.status).toBe(401);
    expect(await problem(response)).toMatchObject({ code: "auth.invalid" });
  });

  test("a viewer reads and does not write", async () => {
    expect((await example.fetch("/api/v1/notes", { as: "viewer" })).status).toBe(200);
    const response = await example.fetch("/api/v1/notes", { as: "viewer", method: "POST", body: { text: "x" } });

    expect(response.status).toBe(403);
    expect(await problem(response)).toMatchObject({
      code: "auth.forbidden",
      detail: expect.stringContaining("deployer"),
    });
  });

  test("an endpoint without roles is closed to all but admin", async () => {
    for (const as of ["viewer", "deployer", "approver", "notification-service"]) {
      expect((await example.fetch("/api/v1/notes/rules", { as, method: "PUT" })).status).toBe(403);
    }
    expect((await example.fetch("/api/v1/notes/rules", { as: "admin", method: "PUT" })).status).toBe(200);
  });

  test("raw routes take the token as a Basic password and ask for Basic", async () => {
    const basic = Buffer.from(`anyone:${example.host.tokens.get("viewer")}`).toString("base64");
    const welcome = await example.fetch("/v2/", { as: null, headers: { authorization: `Basic ${basic}` } });
    const refused = await example.fetch("/v2/", { as: null });

    expect(await welcome.json()).toEqual({ name: "viewer" });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
  });
});

describe("what is let in", () => {
  test("a good call is answered by the contract", async () => {
    const response = await post({ text: "first" });

    expect(response.status).toBe(201);
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await response.json()).toMatchObject({ text: "first" });
  });

  test("each wrong field is named by its JSON pointer, unknown ones too", async () => {
    const response = await post({ text: "", "a/b": "no", extra: 1 });

    expect(response.status).toBe(400);
    const { code, errors } = (await problem(response)) as { code: string; errors: { at: string }[] };
    expect(code).toBe("request.invalid");
    expect(errors.map(({ at }) => at).sort()).toEqual(["/body/a~1b", "/body/extra", "/body/text"]);
  });

  test("query and path are checked, and defaults filled in", async () => {
    expect(await (await example.fetch("/api/v1/notes")).json()).toMatchObject({ page_size: 50 });
    expect(await problem(await example.fetch("/api/v1/notes?page_size=0"))).toMatchObject({
      errors: [{ at: "/query/page_size" }],
    });
    expect(await problem(await example.fetch("/api/v1/notes/x"))).toMatchObject({ errors: [{ at: "/params/n" }] });
  });

  test.each([["{"], ['{"text":"x"'], ["nonsense"], ['{"__proto__":{"text":"x"}}']])(
    "malformed JSON %s is a 400",
    async (text) => {
      const response = await example.fetch("/api/v1/notes", { method: "POST", text });

      expect(response.status).toBe(400);
      expect(await problem(response)).toMatchObject({ code: "request.malformed" });
    },
  );

  test("an empty body is {} where the contract says so, and an error elsewhere", async () => {
    const bare = await example.fetch("/api/v1/notes/nudge", { method: "POST" });
    const typed = await example.fetch("/api/v1/notes/nudge", { method: "POST", text: "" });
    const needed = await example.fetch("/api/v1/notes", { method: "POST", text: "" });

    expect(bare.status).toBe(202);
    expect(await typed.json()).toEqual({ reason: null, by: "deployer" });
    expect(await problem(needed)).toMatchObject({ code: "request.invalid" });
  });

  test("ten megabytes are refused", async () => {
    const response = await post({ text: "x".repeat(10_000_000) }).catch((error: unknown) => error);

    // The answer may come before the last byte was sent; then fetch sees the closed connection or the answer.
    if (response instanceof Response) {
      expect(response.status).toBe(413);
      expect(await problem(response)).toMatchObject({ code: "request.too_large" });
    } else {
      expect(String((response as Error).cause)).toMatch(/EPIPE|ECONNRESET|other side closed/);
    }
    expect(example.notes.kept.some((text) => text.length > 100)).toBe(false);
  });

  test("a body just over a megabyte is a 413 problem", async () => {
    const response = await post({ text: "x".repeat(1_048_576) });

    expect(response.status).toBe(413);
    expect(await problem(response)).toMatchObject({ code: "request.too_large" });
  });

  test("another content type is a 415, an unknown path a 404", async () => {
    const form = await example.fetch("/api/v1/notes", {
      method: "POST",
      text: "text=x",
      headers: { "content-type": "application/xml" },
    });

    expect(form.status).toBe(415);
    expect(await problem(form)).toMatchObject({ code: "request.unsupported_media_type" });
    expect(await problem(await example.fetch("/nowhere"))).toMatchObject({ code: "route.not_found", status: 404 });
    expect((await example.fetch("/%zz")).status).toBe(400);
  });

  test("a parser of the raw routes stays there", async () => {
    const response = await example.fetch("/webhooks/note", { as: null, method: "POST", text: '{ "x": 1 }' });

    expect(await response.json()).toEqual({ bytes: 10 });
    expect((await post({ text: "still parsed" })).status).toBe(201);
  });
});

describe("what is let out", () => {
  test("a refusal is the problem of its code, with its remedy", async () => {
    const response = await post({ text: "refuse me" });

    expect(response.status).toBe(409);
    expect(await problem(response)).toMatchObject({ code: "deployment.phase", detail: "not now", remedy: "wait" });
  });

  test.each(["throw", "wrong_answer", "unknown_code"])("%s is a 500 that says nothing of the inside", async (how) => {
    const response = await example.fetch("/api/v1/notes/misbehave", { method: "POST", body: { how } });
    const text = await response.text();

    expect(response.status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({ code: "internal", instance: expect.stringMatching(/^urn:uuid:/) });
    expect(text).not.toMatch(/secret|stack|\.ts|zod|no\.such/i);
  });

  test("a handler hears that its caller has gone, and only then", async () => {
    const gate = Promise.withResolvers<void>();
    example.notes.gate = gate.promise;
    const entered = example.notes.entered;
    const leaving = new AbortController();
    const left = fetch(`${example.host.url}/api/v1/notes`, {
      method: "POST",
      signal: leaving.signal,
      headers: { authorization: `Bearer ${example.host.tokens.get("deployer")}`, "content-type": "application/json" },
      body: JSON.stringify({ text: "left" }),
    }).catch(() => undefined);
    const stayed = post({ text: "stayed" });
    await until(() => example.notes.entered === entered + 2, { what: "both calls under way" });
    leaving.abort();
    await until(() => example.notes.abandoned.length > 0, { what: "the news of the caller" });
    gate.resolve();

    await left;
    expect((await stayed).status).toBe(201);
    expect(example.notes.abandoned).toEqual(["left"]);
  });

  test("fields that the contract does not name stay inside", async () => {
    const response = await example.fetch("/api/v1/notes/misbehave", { method: "POST", body: { how: "extra_field" } });

    expect(await response.json()).toEqual({ text: "fine" });
  });
});
