import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { endpoint } from "@slipway/contracts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { type Client, createClient } from "../src/index.ts";

const makeThing = endpoint({
  id: "makeThing",
  method: "POST",
  path: "/api/v1/things",
  summary: "",
  roles: [],
  body: z.object({ name: z.string() }),
  status: 201,
  response: z.object({ name: z.string() }),
});

let handle: (request: IncomingMessage, response: ServerResponse) => void;
let client: Client;
let told: string[];
const sockets = new Set<unknown>();
const server = createServer((request, response) => {
  sockets.add(request.socket);
  handle(request, response);
});

beforeEach(async () => {
  sockets.clear();
  told = [];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  client = createClient({
    url: `http://127.0.0.1:${port}/`,
    token: () => "slp_x",
    timeoutMs: 3_000,
    traceparent: () => "00-a-b-01",
    onWait: (why) => told.push(why),
  });
});
afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

test("a call carries token, trace and key, and reuses connections", async () => {
  const seen: IncomingMessage["headers"][] = [];
  handle = (request, response) => {
    seen.push(request.headers);
    request.resume().once("end", () => json(response, 201, { name: "a", more: 1 }));
  };
  const answers = [];
  for (let n = 0; n < 20; n += 1)
    answers.push(await client.call(makeThing, { body: { name: "a" }, idempotencyKey: "k" }));

  expect(answers[0]).toEqual({ name: "a" });
  expect(seen[0]).toMatchObject({ authorization: "Bearer slp_x", traceparent: "00-a-b-01", "idempotency-key": "k" });
  // A second one may be opened while the first is not yet given back.
  expect(sockets.size).toBeLessThan(4);
});

test("an answer with fields of a newer version is not taken without them, and says which", async () => {
  const getSpec = endpoint({
    ...{ id: "getSpec", method: "GET", path: "/api/v1/specs", summary: "", roles: [], status: 200 },
    response: z.object({ spec: z.strictObject({ name: z.string() }) }),
  });
  handle = (_request, response) => json(response, 200, { spec: { name: "a", owner: "ada" }, more: 1 });

  await expect(client.call(getSpec)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("spec.owner"),
  });
});

test("where a call goes is asked by its path alone: a query changes no owner", async () => {
  const listThings = endpoint({
    ...{ id: "listThings", method: "GET", path: "/api/v1/things", summary: "", roles: [], status: 200 },
    query: z.object({ of: z.string() }),
    response: z.object({ of: z.string().nullable() }),
  });
  handle = (request, response) =>
    json(response, 200, { of: new URL(request.url ?? "", "http://a").searchParams.get("of") });
  const address = server.address();
  const asked: string[] = [];
  const apart = createClient({
    url: (path) => {
      asked.push(path);
      return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
    },
  });

  expect(await apart.call(listThings, { query: { of: "a/b" } })).toEqual({ of: "a/b" });
  expect(asked).toEqual(["/api/v1/things"]);
  await apart.close();
});

test("a POST with a key survives a connection that breaks before the answer; without a key it is not sent again", async () => {
  let sent = 0;
  handle = (request, response) => {
    sent += 1;
    if (sent % 2 === 1) request.socket.destroy();
    else request.resume().once("end", () => json(response, 201, { name: "a" }));
  };

  expect(await client.call(makeThing, { body: { name: "a" }, idempotencyKey: "k" })).toEqual({ name: "a" });
  expect(sent).toBe(2);
  await expect(client.call(makeThing, { body: { name: "a" } })).rejects.toMatchObject({ code: "unavailable" });
  expect(sent).toBe(3);
});

test("a silent server is given up at the deadline", async () => {
  handle = () => {};

  await expect(client.call(makeThing, { body: { name: "a" }, timeoutMs: 100 })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("was not answered within 0.1 s"),
  });
});

test("answers that are no problem of ours become the nearest code; wrong ones are `internal`", async () => {
  handle = (_, response) => response.writeHead(403).end("<html>proxy</html>");
  await expect(client.call(makeThing, { body: { name: "a" } })).rejects.toMatchObject({ code: "auth.forbidden" });
  handle = (_, response) => json(response, 409, { code: "from.the_future", detail: "something new" });
  await expect(client.call(makeThing, { body: { name: "a" } })).rejects.toMatchObject({ message: "something new" });
  handle = (_, response) => json(response, 201, { name: 7 });
  await expect(client.call(makeThing, { body: { name: "a" } })).rejects.toMatchObject({ code: "internal" });
});

test("a stream goes on after the last event when its connection breaks, and ends with `end`", async () => {
  const asked: (string | undefined)[] = [];
  handle = (request, response) => {
    const last = request.headers["last-event-id"] as string | undefined;
    asked.push(last);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 1\n\n");
    const next = Number(last ?? 0) + 1;
    if (next > 4) {
      response.end("event: end\ndata: \n\n");
      return;
    }
    // Half an event at the end of each connection must not be taken for one.
    response.write(`id: ${next}\ndata: n${next}\n\nid: ${next + 1}\ndata: n${next + 1}\n\nid: 99\nda`, () =>
      response.destroy(),
    );
  };
  const data: string[] = [];
  for await (const event of client.stream("/api/v1/things/events")) data.push(event.data);

  expect(data).toEqual(["n1", "n2", "n3", "n4", ""]);
  expect(asked).toEqual([undefined, "2", "4"]);
});

test("a stream ends with 204, with the caller's signal, and gives up on a server that stays away", async () => {
  handle = (_, response) => response.writeHead(204).end();
  const none: unknown[] = [];
  for await (const event of client.stream("/x")) none.push(event);
  expect(none).toEqual([]);

  const stop = new AbortController();
  handle = (_, response) => response.writeHead(200, { "content-type": "text/event-stream" }).write("data: one\n\n");
  for await (const event of client.stream("/x", { signal: stop.signal })) {
    expect(event.data).toBe("one");
    stop.abort();
  }

  handle = (request) => request.socket.destroy();
  const gone = client.stream("/x", { giveUpAfterMs: 0 })[Symbol.asyncIterator]();
  await expect(gone.next()).rejects.toMatchObject({ code: "unavailable" });
});

const away = (response: ServerResponse, detail: string) =>
  json(response, 503, {
    ...{ type: "about:blank", title: "Unavailable", status: 503, code: "unavailable", detail },
  });

test("what is tried again for longer than a moment is told once, with why; what is over sooner is not", async () => {
  const make = () => client.call(makeThing, { body: { name: "a" }, idempotencyKey: "k" });
  let refusals = 1;
  handle = (_, response) => (refusals-- > 0 ? away(response, "busy") : json(response, 201, { name: "a" }));
  await make();
  expect(told).toEqual([]);

  handle = (_, response) =>
    told.length === 0 ? away(response, "The database is away.") : json(response, 201, { name: "a" });
  await make();
  expect(told).toEqual(["The database is away."]);
});

test("a stream that cannot begin says why, also that nobody has answered yet, and says no more once it has begun", async () => {
  handle = (_, response) => (told.length === 0 ? away(response, "The store is away.") : response.writeHead(204).end());
  for await (const _ of client.stream("/x")) expect.unreachable();
  expect(told).toEqual(["The store is away."]);

  const held: ServerResponse[] = [];
  handle = (_, response) => held.push(response);
  const silent = client.stream("/y")[Symbol.asyncIterator]().next();
  await vi.waitUntil(() => told.length === 2, { timeout: 10_000 });
  expect(told[1]).toBe("GET /y has not been answered yet");
  held[0]?.writeHead(204).end();
  expect(await silent).toMatchObject({ done: true });
});

test("what cannot begin for 15 s is given up with what the server said last; what has begun is waited for a minute", async () => {
  const now = performance.now.bind(performance);
  let laterMs = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now() + laterMs);
  try {
    let asked = 0;
    handle = (request, response) => {
      asked += 1;
      laterMs += 4_000;
      if (asked === 4) request.socket.destroy();
      else away(response, "The store is away.");
    };
    const never = client.stream("/x")[Symbol.asyncIterator]();
    await expect(never.next()).rejects.toMatchObject({ code: "unavailable", message: "The store is away." });
    expect(asked).toBe(4);

    asked = 0;
    handle = (_, response) => {
      asked += 1;
      if (asked === 1) response.writeHead(200, { "content-type": "text/event-stream" }).end("data: one\n\n");
      else laterMs += 20_000;
      if (asked > 1) away(response, "The store is away.");
    };
    const begun = client.stream("/x")[Symbol.asyncIterator]();
    expect(await begun.next()).toMatchObject({ value: { data: "one" } });
    await expect(begun.next()).rejects.toMatchObject({ code: "unavailable" });
    expect(asked).toBe(4);
  } finally {
    clock.mockRestore();
  }
});
