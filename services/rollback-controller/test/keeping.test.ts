import { join } from "node:path";
import { getWatch, listWatches, putWatch, shutWatch, type WatchView, watchTopic } from "@slipway/contracts";
import { addMs, systemClock } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { beforeEach, expect, test } from "vitest";
import type { WatchInput } from "../src/domain/watch.ts";
import { loadLooks } from "../src/store.ts";
import { endWatch } from "../src/subscriptions.ts";
import { id, sampleJudgement, sampleSpec } from "./support/sample.ts";
import { arm, type Controller, handlerOf, move, phase, placeOfEachTest } from "./support/watching.ts";

const { goBad, place, shutIn, start } = placeOfEachTest();
let one: Controller;
let other: Controller;
beforeEach(async () => {
  one = await start();
  other = await onAnotherDisk();
});

const onAnotherDisk = () => start({ now: false }, { folder: join(place().folder, "another-disk") });

const seenBy = ({ watchers }: Controller) => watchers.get(id)?.looking.judge.total.canary_requests ?? 0;
const events = async () => (await place().bus.read(watchTopic.name, 0, 500)).events;
const told = async (type: string) => (await events()).filter((event) => event.type === type).length;

test("a PUT takes the watch from whoever has it, and what was seen goes with it", async () => {
  await arm(one);
  await until(() => seenBy(one) >= 200, { what: "some requests" });
  const put = await handlerOf(other, putWatch);
  await until(async () => (await loadLooks(place().db, id)).length > 0, { what: "looks to be stored" });

  await put(sampleSpec({ step: 1 }));

  expect(seenBy(other)).toBeGreaterThan(0);
  await until(() => one.watchers.get(id) === undefined, { what: "the first one to let it go" });
  expect(other.watchers.get(id)?.spec.step).toBe(1);
});

test("what a process learns of a watch that another one took is not stored", async () => {
  await arm(one);
  await until(async () => (await loadLooks(place().db, id)).length > 0, { what: "looks to be stored" });
  const late = one.watchers.get(id)!;
  await other.keeper.take(id);
  const before = (await loadLooks(place().db, id)).length;
  // As a process does that hung in the meantime.
  await late.look();
  one.queue.tell(id, { type: "Judged", judgement: sampleJudgement("PASS", { sentence: "what it thought" }) });
  await one.queue.flush();
  await until(() => one.watchers.get(id) === undefined, { what: "it to let go" });

  await until(async () => (await loadLooks(place().db, id)).length > before, { what: "looks of the other one" });
  await other.watchers.stop();

  // Each read brings ten more requests; a look that overlaps with another one would count some of them twice.
  const looks = await loadLooks(place().db, id);
  const stored = looks.reduce((sum, { look }) => sum + (look.regions.a?.canary.requests ?? 0), 0);
  expect(stored).toBeLessThanOrEqual(10 * (place().region("a").reads - 1));
  other.queue.tell(id, { type: "MetricsMissing", since: systemClock.now(), regions: ["b"] });
  await until(async () => (await told("watch.metrics_missing")) === 1, { what: "what the other one says" });
  expect(JSON.stringify(await events())).not.toContain("what it thought");
});

test("a FAIL that another process found, or a move that it wrote, is heeded by the one that has the watch", async () => {
  await arm(one);
  const window_from = addMs(systemClock.now(), 1);
  const spec = sampleSpec({ step: 1, window_from });
  await other.durable.send(other.machine, id, (): WatchInput => ({ type: "Arm", spec }));
  await until(() => one.watchers.get(id)?.spec.step === 1, { what: "the move to be heeded" });

  const judgement = sampleJudgement("FAIL", { step: 1 });
  await other.durable.send(other.machine, id, (): WatchInput => ({ type: "Failed", judgement, firstErrorAt: null }));

  await until(() => one.watchers.get(id)?.state === "failed", { what: "the FAIL to be heeded" });
  await until(() => shutIn("a") && shutIn("b"), { what: "both regions" });
});

test("the end of a watch is told once with all that was counted, whichever process the event comes to", async () => {
  await arm(one);
  await until(async () => (await loadLooks(place().db, id)).length > 0, { what: "looks to be stored" });

  await endWatch(other.service, id, "verified");

  await until(() => one.watchers.get(id) === undefined, { what: "the one that had it to let go" });
  await other.durable.idle();
  const ended = (await events()).filter(({ type }) => type === "watch.ended");
  expect(ended).toHaveLength(1);
  expect(ended[0]?.data).toMatchObject({ regions: { a: { canary_requests: expect.any(Number) } } });
  await until(async () => (await sql`select from keeper`.execute(place().db)).rows.length === 0, { what: "no keeper" });
});

test("who asks one that has it not is told what was stored last, and how old that is", async () => {
  await arm(one);
  const get = await handlerOf(other, getWatch);
  const seen = async () => (await get({})) as WatchView;
  await until(async () => (await seen()).last_look_at !== null, { what: "it to be stored" });

  expect(await seen()).toMatchObject({
    ...{ deployment_id: id, state: "watching", step: 0 },
    regions: { a: { served_weight: { percent: 5, source: "gauge" } } },
  });
  const list = await handlerOf(other, listWatches);
  expect(await list({})).toMatchObject({ watches: [{ deployment_id: id }] });

  await sql`update snapshot set at = at - interval '90 seconds'`.execute(place().db);
  const { as_of = "", last_look_at } = await seen();
  expect(Date.parse(as_of) - Date.parse(last_look_at ?? "")).toBeGreaterThan(60_000);
});

test("a person may ask any of them to shut it", async () => {
  await arm(one);
  const shut = await handlerOf(other, shutWatch);

  await shut({ reason: "it smells" });

  await until(() => shutIn("a") && shutIn("b"), { what: "both regions" });
  await until(async () => (await phase(other)) === "failed", { what: "a stored FAIL" });
  await other.durable.idle();
  expect(await told("watch.failed")).toBe(1);
});

test("after the database was away each still has what it had, and a FAIL of that time is written once", async () => {
  await arm(one);
  one.away.now = true;
  goBad();
  await until(() => shutIn("a") && shutIn("b"), { what: "both regions" });

  one.away.now = false;

  await until(async () => (await phase(one)) === "failed", { what: "the row to know" });
  await one.durable.idle();
  expect(await told("watch.failed")).toBe(1);
});

test("what is started on the same disk takes back what it had without waiting", async () => {
  await arm(one);
  await sql`update keeper set kept_until = kept_until + interval '1 hour'`.execute(place().db);

  const again = await start();

  expect(again.watchers.get(id)).toBeDefined();
});

test("a move under a newer grant is heeded wherever it was asked for", async () => {
  await arm(one);
  await move(other, sampleSpec({ epochs: { a: 5, b: 5 } }));

  await until(() => one.watchers.get(id) === undefined, { what: "the first one to let it go" });
  expect(other.watchers.get(id)?.spec.epochs).toEqual({ a: 5, b: 5 });
});
