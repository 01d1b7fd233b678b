import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { shutWatch } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { id } from "./support/sample.ts";
import { arm, handlerOf, phase, placeOfEachTest, untilPassed } from "./support/watching.ts";

const { goBad, place, shutIn, start, stopLast } = placeOfEachTest();

test("with the database away shuts all the same, writes to the journal, and replays it in order later", async () => {
  const controller = await start();
  await arm(controller);
  await untilPassed(controller);
  controller.away.now = true;
  goBad();

  await until(() => shutIn("a") && shutIn("b"), { what: "both regions" });
  await until(async () => (await controller.journal.read()).length >= 3, { what: "the journal" });
  expect(await phase(controller)).toBe("watching");
  const written = (await controller.journal.read()).map(({ news }) => news.type);
  expect(written).toEqual(controller.queue.waiting.map(({ news }) => news.type));
  const before = controller.applied.length;
  controller.away.now = false;

  await until(async () => (await phase(controller)) === "failed", { what: "the row to know" });
  await until(async () => (await controller.journal.read()).length === 0, { what: "an empty journal" });
  expect(controller.applied.slice(before, before + written.length)).toEqual(written);
});

test("with a full journal too it shuts all the same, says so, and loses no news", async () => {
  const controller = await start();
  await arm(controller);
  await untilPassed(controller);
  expect(controller.queue.trouble).toBeUndefined();
  controller.away.now = true;
  controller.disk.full = true;
  goBad();

  await until(() => shutIn("a") && shutIn("b"), { what: "both regions" });
  await until(() => /ENOSPC.*in memory only/.test(controller.queue.trouble ?? ""), { what: "the trouble" });
  expect(await controller.journal.read()).toEqual([]);
  controller.away.now = false;

  await until(async () => (await phase(controller)) === "failed", { what: "the row to know" });
  await until(() => controller.queue.trouble === undefined, { what: "the end of the trouble" });
});

test("news that a full journal did not take go there, in order, once it has room", async () => {
  const controller = await start();
  await arm(controller);
  await untilPassed(controller);
  controller.away.now = true;
  controller.disk.full = true;
  goBad();
  await until(() => controller.queue.trouble !== undefined, { what: "the trouble" });
  controller.disk.full = false;

  await until(async () => (await controller.journal.read()).length >= 3, { what: "the journal" });
  const written = (await controller.journal.read()).map(({ news }) => news.type);
  expect(written).toEqual(controller.queue.waiting.slice(0, written.length).map(({ news }) => news.type));
  expect(controller.queue.trouble).toBeUndefined();
});

test("a line that a full disk cut short costs nothing but itself", async () => {
  const controller = await start();
  await arm(controller);
  await untilPassed(controller);
  controller.away.now = true;
  await appendFile(join(place().folder, "news.jsonl"), '{"id":"D-7","news":{"ty');
  goBad();

  // Read when nothing is being written, as at a start.
  await until(() => controller.queue.waiting.length >= 3, { what: "news" });
  const told = controller.queue.waiting.map(({ news }) => news.type);
  await controller.queue.onDisk(async () => undefined);
  expect((await controller.journal.read()).map(({ news }) => news.type)).toEqual(expect.arrayContaining(told));
  expect((await controller.journal.aside()).map(({ line }) => line)).toContain('{"id":"D-7","news":{"ty');
});

test("started with the database away it watches what the journal names, and shuts again what had failed", async () => {
  const first = await start();
  await arm(first);
  first.away.now = true;
  goBad();
  await until(async () => (await first.journal.watches()).some(({ failed }) => failed), { what: "the FAIL on disk" });
  await stopLast();
  const lowered = place().region("b").lowered;

  const second = await start({ now: true });

  expect(second.watchers.get(id)?.state).toBe("failed");
  await until(() => place().region("b").lowered > lowered, { what: "region b to be shut again" });
});

test("who shuts a version by hand is in the audit log with the FAIL, also when the database was away", async () => {
  const controller = await start();
  await arm(controller);
  const shut = await handlerOf(controller, shutWatch);
  controller.away.now = true;

  await shut({ reason: "it smells" });
  await until(() => shutIn("a") && shutIn("b"), { what: "both regions" });
  await shut({});
  controller.away.now = false;

  await until(async () => (await audited()).length === 2, { what: "the audit log" });
  expect(await phase(controller)).toBe("failed");
  const about = { service: "orders", environment: "prod", version: expect.any(String) };
  expect(await audited()).toEqual([
    { actor: "ada", action: "watch.shut", subject: id, detail: { ...about, reason: "it smells" } },
    { actor: "ada", action: "watch.shut", subject: id, detail: { ...about, reason: "no reason given" } },
  ]);
});

async function audited(): Promise<readonly object[]> {
  const { rows } = await sql<object>`select actor, action, subject, detail from audit order by seq`.execute(place().db);
  return rows;
}
