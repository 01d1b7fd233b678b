import { join } from "node:path";
import { createClient, type ServerSentEvent } from "@slipway/client";
import { fileObjects } from "@slipway/objects";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forgetLogs } from "../src/forget-logs.ts";
import { appendLog, readPart, stepLog } from "../src/log-store.ts";
import type { BuildTables } from "../src/tables.ts";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, secret, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let small: TestRepository;

beforeAll(async () => {
  platform = await startBuildService();
  small = await testRepository(platform.folder, "small", false);
  await platform.register("small", small.url);
});
afterAll(() => platform.close());

async function build(run: string): Promise<string> {
  const image = "image: { copy: [slipway.yaml], command: [node] }";
  const text = `version: 1\nservice: small\npipeline:\n  talk:\n    run: |\n      ${run}\n${image}\n`;
  const sha = await small.commit({ "slipway.yaml": text });
  return platform.buildOf(await platform.push({ url: small.url, sha }));
}

/** Server-sent events of one connection, as they come. */
async function* follow(id: string, lastEventId?: string): AsyncGenerator<ServerSentEvent> {
  const client = createClient({ url: platform.host.url, token: platform.host.tokens.get("viewer") });
  try {
    const options = lastEventId === undefined ? {} : { lastEventId };
    for await (const event of client.stream(`/api/v1/builds/${id}/logs`, options)) {
      yield event;
      if (event.event === "end") return;
    }
  } finally {
    await client.close();
  }
}

test("a viewer sees a line while the step is still running", async () => {
  const id = await build("for i in 1 2 3 4 5; do date +%s%N; sleep 0.4; done");
  const seen: { printed: number; arrived: number }[] = [];

  for await (const event of follow(id)) {
    const arrived = Date.now();
    const printed = [...event.data.matchAll(/^talk \| (\d{19})$/gm)].map((match) => Number(match[1]) / 1e6);
    seen.push(...printed.map((at) => ({ printed: at, arrived })));
  }

  expect(seen).toHaveLength(5);
  // Delivered at the end, the first line would arrive 1.6 s after the last one was printed. In truth it takes milliseconds.
  expect(seen[0]?.arrived).toBeLessThan(seen[4]?.printed ?? 0);
});

test("what is streamed is the log, byte for byte, and its ids are offsets in it", async () => {
  const id = await build("seq 1 3000; echo 'grüße 你好'");
  const events: ServerSentEvent[] = [];
  for await (const event of follow(id)) events.push(event);

  const text = await platform.log(id);

  const streamed = events.filter((event) => event.event === "log");
  expect(streamed.map((event) => event.data).join("")).toBe(text);
  let offset = 0;
  for (const event of streamed) {
    offset += Buffer.byteLength(event.data);
    expect(event.id).toBe(String(offset));
  }
  expect(events.at(-1)).toMatchObject({ event: "end", data: "SUCCEEDED" });
  expect(text).toContain("talk | grüße 你好\n");
});

test("a reader goes on from any offset without loss or repeat", async () => {
  const id = await build("seq 1 500");
  await platform.ended(id);
  const whole = Buffer.from(await platform.log(id));
  const offsets = [0, 1, Math.floor(whole.length / 2), whole.length - 1];

  for (const offset of offsets) {
    const events: ServerSentEvent[] = [];
    for await (const event of follow(id, String(offset))) events.push(event);
    const rest = events.filter((event) => event.event === "log").map((event) => event.data);
    expect(rest.join("")).toBe(whole.subarray(offset).toString("utf8"));
    const text = await (await platform.fetch(`/api/v1/builds/${id}/logs?from=${offset}`)).text();
    expect(text).toBe(whole.subarray(offset).toString("utf8"));
  }
});

test("a reader who has read everything of a build that ended is told not to come back", async () => {
  const id = await build("true");
  await platform.ended(id);
  const length = Buffer.byteLength(await platform.log(id));

  const headers = { accept: "text/event-stream", "last-event-id": String(length) };

  expect((await platform.fetch(`/api/v1/builds/${id}/logs`, { headers })).status).toBe(204);
});

test("secrets of the platform are masked", async () => {
  const id = await build(`printf '%s' '${secret.slice(0, 10)}'; sleep 0.1; echo '${secret.slice(10)}'`);
  await platform.ended(id);

  const log = await platform.log(id);

  expect(log).toContain("talk | ***\n");
});

test("a log is for those with a token, and of builds that exist", async () => {
  const bare = await fetch(`${platform.host.url}/api/v1/builds/B-1/logs`);
  expect(bare.status).toBe(401);
  expect((await platform.fetch("/api/v1/builds/B-99999/logs")).status).toBe(404);
  expect((await platform.fetch("/api/v1/builds/nonsense/logs")).status).toBe(404);
  expect((await platform.fetch("/api/v1/builds/B-1/logs?from=-1")).status).toBe(400);
});

test("writers at once leave whole lines and no gap", async () => {
  const db = platform.database.db<BuildTables>("build");
  const id = "B-777" as never;
  const writers = ["a", "b", "c", "d"].map(async (name) => {
    const log = stepLog(db, id, { prefix: `${name} | `, secrets: [] });
    for (let line = 0; line < 200; line += 1) await log.write(new TextEncoder().encode(`line ${line}\n`));
    await log.end();
  });
  await Promise.all([...writers, appendLog(db, id, "slipway | beside\n")]);

  const parts: Buffer[] = [];
  await until(
    async () => {
      const at = parts.reduce((sum, part) => sum + part.length, 0);
      const part = await readPart(db, id, at);
      const chunks = part.kind === "chunks" ? part.chunks : [];
      expect(chunks[0]?.at ?? at).toBe(at);
      parts.push(...chunks.map(({ bytes }) => bytes));
      return chunks.length === 0;
    },
    { what: "the end of the log" },
  );

  const lines = Buffer.concat(parts).toString("utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(801);
  for (const name of ["a", "b", "c", "d"]) {
    const own = lines.filter((line) => line.startsWith(`${name} | `));
    expect(own).toEqual(Array.from({ length: 200 }, (_, line) => `${name} | line ${line}`));
  }
});

test("what a build printed is removed in time, and whoever asks reads that; a build of now keeps its log", async () => {
  const db = platform.database.db<BuildTables>("build");
  const [old, young] = [await build("seq 1 2000"), await build("echo young")];
  for (const id of [old, young]) await platform.ended(id);
  await sql`update build set created_at = created_at - interval '100 days' where id = ${old}`.execute(db);

  const places = { db, objects: fileObjects({ root: join(platform.folder, "data/objects") }) };
  await forgetLogs(places, 101 * 86_400_000);
  expect(await platform.log(old)).toContain("talk | 2000\n");
  for (const _ of ["once", "and again"]) await forgetLogs(places, 90 * 86_400_000);

  expect(await platform.log(old)).toBe(
    "what this build printed was removed once logs are not kept any more (SLIPWAY_KEEP_BUILD_LOGS)\n",
  );
  expect(await platform.log(young)).toContain("talk | young\n");
});
