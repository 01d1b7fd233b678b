import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { openDb } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as example_ from "./example-module.ts";
import { type Example, problem, startNotes } from "./start-notes.ts";

let example: Example;
beforeAll(async () => {
  example = await startNotes();
});
afterAll(async () => {
  await example.close();
});

test("the first start makes a token file for each role and service, readable by us alone", async () => {
  const folder = join(example.dataDir, "tokens");

  expect((await readdir(folder)).sort()).toEqual(["admin", "approver", "deployer", "notification-service", "viewer"]);
  for (const name of await readdir(folder)) {
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    expect((await readFile(join(folder, name), "utf8")).trim()).toMatch(/^slp_[0-9a-z]{12}_[0-9a-f]{48}_[0-9a-f]{8}$/);
  }
});

test("a service may read tokens' hashes and change none", async () => {
  const db = example.database.db<never>("notification");

  const read = await sql<{ n: number }>`select count(*) as n from access.token`.execute(db);
  expect(read.rows[0]?.n).toBe(5);
  await expect(sql`delete from access.token`.execute(db)).rejects.toThrow(/permission denied/);
});

describe("OpenAPI", () => {
  type Operation = {
    operationId: string;
    tags: string[];
    parameters?: { name: string; in: string; required?: boolean }[];
    requestBody?: { required: boolean; content: Record<string, { schema: object }> };
    responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  };
  type Document = {
    openapi: string;
    info: { title: string; version: string };
    paths: Record<string, Record<string, Operation>>;
  };
  const read = async () => (await (await example.fetch("/openapi.json", { as: null })).json()) as Document;

  test("each endpoint is described with what it takes and answers", async () => {
    const document = await read();
    const operations = Object.entries(document.paths)
      .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
      // The process's own health and documents are described too, and the audit log that every service has.
      .filter(({ path, operation }) => !operation.tags.includes("host") && !path.startsWith("/api/v1/audit/"));
    const served = [
      example_.makeNote,
      example_.listNotes,
      example_.getNote,
      example_.nudge,
      example_.adminOnly,
      example_.misbehave,
    ];

    expect(document.openapi).toBe("3.1.0");
    expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual(served.map(({ id }) => id).sort());
    for (const { path, method, operation } of operations) {
      const endpoint = served.find(({ id }) => id === operation.operationId);
      expect(path).toBe(endpoint?.path.replaceAll(/:([a-z]+)/g, "{$1}"));
      expect(method.toUpperCase()).toBe(endpoint?.method);
      expect(operation.tags).toEqual(["notification-service"]);
      expect(operation.responses[String(endpoint?.status)]?.content?.["application/json"]?.schema).toMatchObject({
        type: "object",
      });
      expect(operation.responses["4XX"]?.content?.["application/problem+json"]?.schema).toMatchObject({
        type: "object",
      });
      const inPath = [...path.matchAll(/\{([a-z]+)\}/g)].map((match) => match[1]);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
      expect(declared.map(({ name }) => name)).toEqual(inPath);
      expect(declared.every(({ required }) => required === true)).toBe(true);
    }
    expect(document.paths["/api/v1/notes"]?.post?.requestBody?.content["application/json"]?.schema).toMatchObject({
      additionalProperties: false,
      required: ["text"],
    });
  });

  test("a body that may be left out is not required, and every POST names its Idempotency-Key", async () => {
    const { paths } = await read();
    const keyed = Object.values(paths).map(({ post, get, put }) =>
      [post, get, put].map((operation) => (operation?.parameters ?? []).some(({ name }) => name === "Idempotency-Key")),
    );

    expect(paths["/api/v1/notes/nudge"]?.post?.requestBody?.required).toBe(false);
    expect(paths["/api/v1/notes"]?.post?.requestBody?.required).toBe(true);
    expect(JSON.stringify(paths)).not.toContain("x-empty-body");
    expect(keyed.filter(([post]) => post)).toHaveLength(3);
    expect(keyed.some(([, get, put]) => get || put)).toBe(false);
  });

  test("every reference in the document leads somewhere", async () => {
    const document = await read();
    const references: string[] = [];
    JSON.stringify(document, (key, value: unknown) => {
      if (key === "$ref" && typeof value === "string") references.push(value);
      return value;
    });

    for (const reference of references) {
      const steps = reference.replace(/^#\//, "").split("/");
      const target = steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], document);
      expect(target, reference).toBeDefined();
    }
  });

  test("the docs page loads nothing from another host, and offers nothing of its maker's", async () => {
    const page = await example.fetch("/docs/", { as: null });
    const html = await page.text();

    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    for (const off of [
      /"showDeveloperTools":\s*"never"/,
      /"agent":\s*\{\s*"disabled":\s*true/,
      /"mcp":\s*\{\s*"disabled":\s*true/,
    ])
      expect(html).toMatch(off);
    const script = /<script[^>]* src="([^"]+)"/.exec(html)?.[1] ?? "";
    expect((await example.fetch(new URL(script, `${example.host.url}/docs/`).pathname, { as: null })).status).toBe(200);
  });
});

describe("health and metrics", () => {
  test("a scrape tells what was found last, and asks no service again", async () => {
    let asked = 0;
    const kept = Object.getOwnPropertyDescriptor(example.notes, "trouble") ?? {};
    const get = () => {
      asked += 1;
      return undefined;
    };
    Object.defineProperty(example.notes, "trouble", { configurable: true, get });
    try {
      await example.fetch("/readyz", { as: null });
      expect(asked).toBe(1);

      const pages = await Promise.all([1, 2, 3].map(() => example.fetch("/metrics", { as: null })));
      for (const page of pages)
        expect(await page.text()).toContain('slipway_service_ready{service="notification-service"} 1');
      expect(asked).toBe(1);
      await example.fetch("/readyz", { as: null });
      expect(asked).toBe(2);
    } finally {
      Object.defineProperty(example.notes, "trouble", kept);
    }
  });

  test("readyz gives each service's reason", async () => {
    expect((await example.fetch("/livez", { as: null })).status).toBe(200);
    expect((await example.fetch("/readyz", { as: null })).status).toBe(200);
    example.notes.trouble = "the far side is away";
    const response = await example.fetch("/readyz", { as: null });
    example.notes.trouble = undefined;

    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      services: [{ service: "notification-service", ready: false, reason: "the far side is away" }],
    });
  });

  test("metrics count by route pattern, never by path", async () => {
    await example.fetch("/api/v1/notes/7", { as: "viewer" });
    await example.fetch("/no/such/path-of-mine");
    const text = await until(
      async () => {
        const page = await (await example.fetch("/metrics", { as: null })).text();
        return /route="\(none\)"/.test(page) && page;
      },
      { what: "the metrics of a request that was answered" },
    );

    expect(text).toContain('route="/api/v1/notes/:n",status="404"');
    expect(text).not.toContain("path-of-mine");
    expect(text).not.toContain("/notes/7");
  });

  test("a caller's trace goes on in the calls made for it", async () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const response = await example.fetch("/api/v1/notes", {
      headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` },
    });

    expect(response.status).toBe(200);
  });
});

test("events published on the bus reach the subscription", async () => {
  const event = {
    specversion: "1.0" as const,
    id: "e-1",
    source: "test",
    type: "note.made",
    subject: "n-1",
    time: example.notes.context!.clock.now(),
    datacontenttype: "application/json" as const,
    data: {},
  };
  await example.notes.context!.bus.publish("slipway.note.v1", [event]);

  await until(() => example.notes.heard.includes("e-1"), { what: "the event" });
});

test("while the database is away known tokens still open the door, and writing with a key waits for it", async () => {
  await example.fetch("/api/v1/notes", { as: "viewer" });
  await example.fetch("/api/v1/notes", { as: "deployer" });
  await example.fetch("/api/v1/notes", { as: "admin" });
  const url = new URL(example.database.adminUrl);
  const name = url.pathname.slice(1);
  url.pathname = "/postgres";
  const admin = openDb<never>({ url: url.href, schema: "public", max: 1 });
  const limit = async (n: number) =>
    await sql`alter database ${sql.id(name)} connection limit ${sql.lit(n)}`.execute(admin);
  try {
    await limit(0);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`.execute(admin);

    const keyed = { method: "POST", body: { text: "away" }, headers: { "idempotency-key": "away" } };
    const write = await example.fetch("/api/v1/notes", keyed);
    const unknown = await example.fetch("/api/v1/notes", { as: "approver" });
    expect((await example.fetch("/api/v1/notes", { as: "viewer" })).status).toBe(200);
    expect((await example.fetch("/api/v1/notes/rules", { as: "admin", method: "PUT" })).status).toBe(200);
    expect(write.status).toBe(503);
    expect(await problem(write)).toMatchObject({ code: "unavailable" });
    expect(unknown.status).toBe(503);
    expect((await example.fetch("/api/v1/notes", { as: "slp_nonsense" })).status).toBe(401);
    expect(example.notes.kept).not.toContain("away");

    await limit(-1);
    await until(async () => (await example.fetch("/api/v1/notes", keyed)).status === 201, {
      what: "the database's return",
    });
    expect(example.notes.kept.filter((text) => text === "away")).toHaveLength(1);
  } finally {
    await limit(-1);
    await admin.destroy();
  }
});
