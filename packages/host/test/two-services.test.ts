import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endpoint } from "@slipway/contracts";
import { silentLogger } from "@slipway/sql";
import { testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type RunningHost, readConfig, runHost, type ServiceModule } from "../src/index.ts";

const schemaOf = endpoint({
  id: "schemaOf",
  method: "POST",
  path: "/api/v1/reports/schema",
  summary: "The schema this service works in",
  roles: ["service"],
  body: z.object({ of: z.string() }),
  status: 200,
  response: z.object({ schema: z.string(), caller: z.string(), other_readable: z.boolean() }),
});

const askTheOther = endpoint({
  id: "askTheOther",
  method: "POST",
  path: "/api/v1/builds/ask",
  summary: "Asks the other service, over HTTP and in its own name",
  roles: ["viewer"],
  status: 200,
  response: z.object({ schema: z.string(), caller: z.string(), other_readable: z.boolean() }),
});

const order: string[] = [];

const asked: ServiceModule = {
  name: "metrics-aggregator",
  schema: "metrics",
  config: z.object({}),
  start: async ({ db }) => {
    order.push("start metrics");
    return {
      routes: (app) =>
        app.serve(schemaOf, async ({ principal, idempotencyKey }) => {
          const { rows } = await sql<{ schema: string; other: boolean }>`
            select current_schema() as schema, has_schema_privilege('build', 'usage') as other`.execute(db);
          const row = rows[0];
          expect(idempotencyKey).toBe("build-service schemaOf key-1");
          return { schema: row?.schema ?? "", caller: principal.name, other_readable: row?.other ?? true };
        }),
      ready: async () => undefined,
      drain: async () => void order.push("drain metrics"),
      close: async () => void order.push("close metrics"),
    };
  },
};

const asking: ServiceModule = {
  name: "build-service",
  schema: "build",
  config: z.object({}),
  start: async ({ client }) => {
    order.push("start build");
    return {
      routes: (app) =>
        app.serve(askTheOther, () => client.call(schemaOf, { body: { of: "you" }, idempotencyKey: "key-1" })),
      ready: () => new Promise(() => {}),
      drain: async () => void order.push("drain build"),
      close: async () => {
        order.push("close build");
        throw new Error("closing fails");
      },
    };
  },
};

let database: Awaited<ReturnType<typeof testDatabase>>;
let dataDir: string;
let host: RunningHost;
beforeAll(async () => {
  database = await testDatabase(["bus", "access", "build", "metrics"]);
  dataDir = await mkdtemp(join(tmpdir(), "slipway-two-"));
  host = await start([asked, asking]);
});
afterAll(async () => {
  await host.stop();
  await database.close();
  await rm(dataDir, { recursive: true });
});

const start = (modules: readonly ServiceModule[]) =>
  runHost({
    modules,
    config: readConfig({ SLIPWAY_DATA: dataDir, SLIPWAY_PORT: "0" }),
    database: { adminUrl: () => database.adminUrl, roleUrl: (role) => database.url(role.replace("slipway_", "")) },
    log: silentLogger,
    signals: false,
  });

test("services of one process share a listener and nothing else: they talk over HTTP in their own names", async () => {
  const response = await fetch(`${host.url}/api/v1/builds/ask`, {
    method: "POST",
    headers: { authorization: `Bearer ${host.tokens.get("viewer")}` },
  });
  const answers = async (schema: string) =>
    (await sql<{ n: number }>`select count(*) as n from idempotency`.execute(database.db<never>(schema))).rows[0]?.n;

  expect(await response.json()).toEqual({ schema: "metrics", caller: "build-service", other_readable: false });
  expect([await answers("metrics"), await answers("build")]).toEqual([1, 0]);
});

test("a readiness check that hangs is a reason, not a hang", async () => {
  const response = await fetch(`${host.url}/readyz`);

  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    services: [
      { service: "metrics-aggregator", ready: true },
      { service: "build-service", ready: false, reason: expect.stringContaining("longer than") },
    ],
  });
});

test("a module that fails to start takes the others down again, and says which it was", async () => {
  const closed: string[] = [];
  const good: ServiceModule = {
    ...asked,
    start: async () => ({
      routes: () => {},
      ready: async () => undefined,
      close: async () => void closed.push("good"),
    }),
  };
  const bad: ServiceModule = { ...asking, start: () => Promise.reject(new Error("no disk")) };

  await expect(start([good, bad])).rejects.toThrow("build-service did not start: no disk");
  expect(closed).toEqual(["good"]);
});

test("they start in order and stop in reverse, and one that fails to close stops no other", async () => {
  await host.stop();

  expect(order).toEqual([
    "start metrics",
    "start build",
    "drain build",
    "drain metrics",
    "close build",
    "close metrics",
  ]);
});
