import { connect } from "node:net";
import { createClient } from "@slipway/client";
import { ProblemError } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listNotes, makeNote } from "./example-module.ts";
import { type Example, problem, startNotes } from "./start-notes.ts";

let example: Example;
beforeEach(async () => {
  example = await startNotes();
});
afterEach(async () => {
  await example.close();
});

const clientAs = (name: string) => createClient({ url: example.host.url, token: example.host.tokens.get(name) });

test("stopping ends streams, lets calls finish, drains, closes, and then nothing listens", async () => {
  const gate = Promise.withResolvers<void>();
  example.notes.gate = gate.promise;
  const stream = await example.fetch("/api/v1/notes/events");
  const read = stream.text();
  const answer = example.fetch("/api/v1/notes", { method: "POST", body: { text: "under way" } });
  await until(() => example.notes.entered === 1, { what: "the call under way" });
  await until(
    async () => (await (await example.fetch("/metrics", { as: null })).text()).includes("slipway_http_event_streams 1"),
    {
      what: "the open stream",
    },
  );

  const stopped = example.host.stop();
  expect(await read).toContain("data: note 3\ndata: line 2\n\n");
  await until(() => example.notes.order.includes("drain"), { what: "draining" });
  gate.resolve();

  expect((await answer).status).toBe(201);
  await stopped;
  expect(example.notes.order).toEqual(["drain", "close"]);
  await expect(example.fetch("/livez")).rejects.toThrow();
  expect(example.host.stop()).toBe(stopped);
});

test("while it drains it says so, and takes no new work of people", async () => {
  const gate = Promise.withResolvers<void>();
  example.notes.drainGate = gate.promise;
  const stopped = example.host.stop();
  await until(() => example.notes.order.includes("drain"), { what: "draining" });

  const work = await example.fetch("/api/v1/notes", { method: "POST", body: { text: "too late" } });
  const look = await example.fetch("/api/v1/notes");
  const ready = await example.fetch("/readyz", { as: null });
  gate.resolve();
  await stopped;

  expect([work.status, look.status, ready.status]).toEqual([503, 200, 503]);
  // Who asks again over the same connection would come to this process again.
  for (const { headers } of [work, look, ready]) expect(headers.get("connection")).toBe("close");
  expect(await problem(work)).toMatchObject({ code: "unavailable" });
  expect(example.notes.kept).toEqual([]);
});

test("a reader goes on where it stopped, over heartbeats and lost connections", async () => {
  const client = clientAs("viewer");
  const seen: string[] = [];
  for await (const event of client.stream("/api/v1/notes/events", { lastEventId: "40" })) {
    seen.push(`${event.id} ${event.event} ${event.data}`);
    if (seen.length === 3) break;
  }
  await client.close();

  expect(seen).toEqual(["41 note note 41\nline 2", "42 note note 42\nline 2", "43 note note 43\nline 2"]);
});

test("heartbeats are sent while nothing happens", async () => {
  const response = await example.fetch("/api/v1/notes/events");
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split(": still here").length > 3) break;
  }

  expect(response.headers.get("content-type")).toContain("text/event-stream");
});

test("a reader that reads nothing is cut off instead of filling memory", async () => {
  const { port } = example.host;
  const socket = connect(port, "127.0.0.1");
  socket.pause();
  socket.on("error", () => undefined);
  socket.write(`GET /api/v1/notes/flood HTTP/1.1\r\nhost: x\r\n\r\n`);

  await until(() => example.notes.order[0], { what: "the end of the flood" });
  socket.destroy();
  expect(example.notes.order[0]).toBe("cut off");
});

test("a stream without a token is thrown as the server's problem", async () => {
  const client = createClient({ url: example.host.url });
  const events = client.stream("/api/v1/notes/events")[Symbol.asyncIterator]();

  await expect(events.next()).rejects.toMatchObject({ code: "auth.missing" });
  await client.close();
});

test("the client gives typed answers, and problems as ProblemError", async () => {
  const client = clientAs("deployer");

  expect(await client.call(makeNote, { body: { text: "typed" }, idempotencyKey: "k" })).toEqual({
    text: "typed",
    count: 1,
  });
  expect(await client.call(makeNote, { body: { text: "typed" }, idempotencyKey: "k" })).toEqual({
    text: "typed",
    count: 1,
  });
  expect(await client.call(listNotes)).toEqual({ notes: ["typed"], page_size: 50 });
  const refused = await client.call(makeNote, { body: { text: "refuse me" } }).catch((error: unknown) => error);
  await client.close();
  expect(refused).toBeInstanceOf(ProblemError);
  expect(refused).toMatchObject({ code: "deployment.phase", remedy: "wait" });
});
