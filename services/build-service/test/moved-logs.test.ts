import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient, type ServerSentEvent } from "@slipway/client";
import type { BuildId } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BuildTables } from "../src/tables.ts";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { whereabouts } from "./kept-logs.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let small: TestRepository;
beforeAll(async () => {
  platform = await startBuildService({ SLIPWAY_MOVE_BUILD_LOGS: "0ms" });
  small = await testRepository(platform.folder, "small", false);
  await platform.register("small", small.url);
});
afterAll(() => platform.close());

async function build(run: string): Promise<BuildId> {
  const image = "image: { copy: [slipway.yaml], command: [node] }";
  const text = `version: 1\nservice: small\npipeline:\n  talk:\n    run: |\n      ${run}\n${image}\n`;
  const sha = await small.commit({ "slipway.yaml": text });
  return (await platform.buildOf(await platform.push({ url: small.url, sha }))) as BuildId;
}

/** Server-sent events of one connection, to the end of the log. */
async function followed(id: string, lastEventId?: string): Promise<readonly ServerSentEvent[]> {
  const client = createClient({ url: platform.host.url, token: platform.host.tokens.get("viewer") });
  const events: ServerSentEvent[] = [];
  try {
    const options = lastEventId === undefined ? {} : { lastEventId };
    for await (const event of client.stream(`/api/v1/builds/${id}/logs`, options)) events.push(event);
    return events;
  } finally {
    await client.close();
  }
}

const textOf = (events: readonly ServerSentEvent[]) =>
  events.map(({ event, data }) => (event === "log" ? data : "")).join("");

const isMoved = (id: BuildId) =>
  until(async () => (await whereabouts(platform.database.db<BuildTables>("build"), id)).object !== null, {
    what: `the log of ${id} to have moved`,
  });

test("what was streamed live is what is read once the log has moved: as text, as events, from any offset", async () => {
  const id = await build("seq 1 3000; echo 'grüße 你好'");
  const live = textOf(await followed(id));
  await isMoved(id);
  const whole = Buffer.from(live);

  expect(live).toContain("talk | grüße 你好\n");
  expect(await platform.log(id)).toBe(live);
  for (const from of [0, 1, 2_000, whole.length - 1]) {
    const rest = whole.subarray(from).toString("utf8");
    expect(await (await platform.fetch(`/api/v1/builds/${id}/logs?from=${from}`)).text()).toBe(rest);
    const events = await followed(id, String(from));
    expect(textOf(events)).toBe(rest);
    expect(events.at(-1)).toMatchObject({ event: "end", data: "SUCCEEDED", id: String(whole.length) });
  }
  const headers = { accept: "text/event-stream", "last-event-id": String(whole.length) };
  expect((await platform.fetch(`/api/v1/builds/${id}/logs`, { headers })).status).toBe(204);
  await until(async () => (await (await platform.fetch("/metrics")).text()).includes("slipway_build_logs_waiting 0"), {
    what: "no log to wait",
  });
});

test("with the store away a moved log is a problem that says what to do, and builds go on, end and are read", async () => {
  const moved = await build("echo moved");
  await platform.ended(moved);
  await isMoved(moved);
  const text = await platform.log(moved);
  const root = join(platform.folder, "data/objects");
  await rename(root, `${root}-away`);
  await writeFile(root, "no folder");

  for (const headers of [{}, { accept: "text/event-stream" }]) {
    const answer = await platform.fetch(`/api/v1/builds/${moved}/logs`, { headers });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([503, expect.stringContaining("problem")]);
    expect(await answer.json()).toMatchObject({
      code: "unavailable",
      detail: expect.stringContaining("SLIPWAY_OBJECTS_URL"),
      remedy: expect.stringContaining("once the object store is back"),
    });
  }
  const id = await build("for i in 1 2 3; do echo line $i; sleep 0.2; done");
  const live = textOf(await followed(id));
  expect(live).toContain("talk | line 3\n");
  expect(await platform.log(id)).toBe(live);

  await rm(root);
  await rename(`${root}-away`, root);
  await isMoved(id);
  expect(await platform.log(id)).toBe(live);
  expect(await platform.log(moved)).toBe(text);
});
