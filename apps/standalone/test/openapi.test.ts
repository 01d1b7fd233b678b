import { anyRole, errorCatalogue, Problem } from "@slipway/contracts";
import type { RunningHost } from "@slipway/host";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Hosts, registered, startHosts } from "./support/hosts.ts";
import { type OpenapiOperation, operationsOf } from "./support/operations.ts";

let hosts: Hosts;
const documents: Record<"platform" | "controller", readonly OpenapiOperation[]> = { platform: [], controller: [] };
const read: Record<string, unknown> = {};

beforeAll(async () => {
  hosts = await startHosts();
  await registered(hosts, "orders", "3f2a91c0b7f1e6a1d2c3b4a5968778695a4b3c2d");
  for (const to of ["platform", "controller"] as const) {
    read[to] = await (await hosts.send("/openapi.json", { to })).json();
    documents[to] = operationsOf(read[to]);
  }
});
afterAll(() => hosts?.close());

describe.each(["platform", "controller"] as const)("the document of the %s", (which) => {
  test("names every operation once, with each parameter of its path", () => {
    const ids = documents[which].map(({ operationId }) => operationId);

    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, parameters } of documents[which]) {
      const inPath = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name);
      expect([path, inPath.sort()]).toEqual([path, [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()]);
    }
  });

  test("has every route that is answered", () => {
    const missing = routesOf(hosts[which]).filter(
      (route) => !documents[which].some((operation) => isServedBy(operation, route)),
    );

    expect(missing).toEqual([]);
  });

  test("has nothing that is not answered", () => {
    const invented = documents[which].filter(
      (operation) => !routesOf(hosts[which]).some((route) => isServedBy(operation, route)),
    );

    expect(invented.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });
});

test("the platform's document has the streams, the webhook, the registry, git and the page", () => {
  const paths = documents.platform.map(({ method, path }) => `${method} ${path}`);

  expect(paths).toEqual(
    expect.arrayContaining([
      "GET /api/v1/builds/{id}/logs",
      "GET /api/v1/deployments/{id}/events",
      "POST /webhooks/github",
      "GET /api/v1/watches",
      "POST /api/v1/watches/{id}/shut",
      "GET /api/v1/audit/deployment-orchestrator",
      "GET /api/v1/audit/rollback-controller/verification",
      "PUT /v2/{name}/manifests/{reference}",
      "POST /git/{repository}/git-receive-pack",
      "GET /page/events",
      "GET /readyz",
    ]),
  );
});

/** What a caller may send: right, nearly right, or nothing like it. */
const value = fc.oneof(
  fc.constantFrom("orders", "D-1", "B-1", "prod", "us-east-1", "3f2a91c", "", "\0", "..", "%", "a".repeat(600)),
  fc.jsonValue({ maxDepth: 3 }),
);
const text = value.map((some) => (typeof some === "string" ? some : JSON.stringify(some)));
const fields = ["service", "version", "regions", "reason", "to", "canary_percent", "url", "secret", "epochs", "change"];
const body = fc.oneof(
  value,
  fc.dictionary(fc.constantFrom(...fields), value),
  fc.string({ unit: "binary" }).map((raw) => ({ raw })),
);
const request = fc.record({
  pick: fc.nat(),
  words: fc.array(text, { minLength: 3, maxLength: 3 }),
  query: fc.dictionary(fc.constantFrom("page_size", "page_token", "service", "days", "from", "x"), text, {
    maxKeys: 3,
  }),
  body,
  as: fc.constantFrom(null, "slp_garbled", ...anyRole.filter((role) => role !== "service"), "build-service"),
  key: fc.option(fc.stringMatching(/^[\x20-\x7e]{1,40}$/), { nil: undefined }),
  type: fc.constantFrom(undefined, "application/json", "text/plain", "application/x-www-form-urlencoded", "x"),
});
type Wild = typeof request extends fc.Arbitrary<infer T> ? T : never;

test("whatever is sent to an operation: no 5xx, and every refusal is a problem of the catalogue", async () => {
  await fc.assert(
    fc.asyncProperty(request, async (wild) => {
      for (const to of ["platform", "controller"] as const) {
        const operations = documents[to];
        const operation = operations[wild.pick % operations.length];
        if (operation !== undefined) await expectSane(operation, await call(to, operation, wild));
      }
    }),
    { numRuns: 250 },
  );
});

async function call(to: "platform" | "controller", operation: OpenapiOperation, wild: Wild): Promise<Response> {
  const words = [...wild.words];
  // URL parsers resolve dot segments before anything is sent.
  const word = () => (words.pop() ?? "").toWellFormed().replace(/^\.{1,2}$/, "dots") || "x";
  const path = operation.path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(word()));
  const query = new URLSearchParams(wild.query).toString();
  const takesBody = operation.requestBody !== undefined;
  const raw = typeof wild.body === "object" && wild.body !== null && "raw" in wild.body ? wild.body.raw : undefined;
  return hosts.send(`${path}${query === "" ? "" : `?${query}`}`, {
    to,
    method: operation.method,
    as: wild.as,
    ...(takesBody ? (raw === undefined ? { body: wild.body } : { text: String(raw) }) : {}),
    headers: {
      ...(wild.key === undefined ? {} : { "idempotency-key": wild.key }),
      ...(takesBody && wild.type !== undefined ? { "content-type": wild.type } : {}),
    },
  });
}

async function expectSane(operation: OpenapiOperation, answer: Response): Promise<void> {
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("text/event-stream")) return void (await answer.body?.cancel());
  const said = await answer.text();
  const told = `${operation.method} ${operation.path}: ${answer.status} ${said.slice(0, 300)}`;
  if (operation.path === "/readyz") return;
  // The page of these hosts has nothing behind it, and the controller no metrics to acknowledge a watch by: they say so.
  const waits = operation.path.startsWith("/page/") || operation.operationId === "putWatch";
  if (waits && answer.status === 503) return void expect(JSON.parse(said)).toMatchObject({ code: "unavailable" });
  expect(answer.status, told).toBeLessThan(500);
  if (answer.status < 400 || operation.method === "HEAD") return;
  if (operation.path.startsWith("/v2/")) return void expect(JSON.parse(said), told).toHaveProperty("errors.0.code");
  if (operation.path.startsWith("/git/") && type.startsWith("text/plain")) return;
  expect(type, told).toMatch(/^application\/problem\+json/);
  const problem = Problem.parse(JSON.parse(said));
  expect(problem, told).toMatchObject({ ...errorCatalogue[problem.code], detail: expect.stringMatching(/.{8}/) });
}

type Route = { readonly method: string; readonly url: string };

/** Without what Fastify answers for HEAD by itself, and the parts of the page /docs. */
function routesOf(host: RunningHost): readonly Route[] {
  return host.routes.filter(({ method, url }) => {
    const own = method !== "HEAD" || url.startsWith("/v2");
    return own && !url.startsWith("/docs/");
  });
}

/** A route ending in * serves what lies below it; the page's assets are routes of their own. */
function isServedBy({ method, path }: OpenapiOperation, route: Route): boolean {
  const url = route.url.replaceAll(/:(\w+)/g, "{$1}");
  if (url.endsWith("*")) return path.startsWith(url.slice(0, -1));
  const shape = new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+").replace(/\/$/, "/?")}$`);
  return method === route.method && shape.test(url);
}
