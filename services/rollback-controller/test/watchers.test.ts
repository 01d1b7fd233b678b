import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { type CloudEvent, putWatch, shutWatch, type WatchRequest, watchTopic } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { addMs, systemClock } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addLook, startLooking } from "../src/domain/looking.ts";
import { armed, type WatchInput } from "../src/domain/watch.ts";
import { routes } from "../src/http.ts";
import { forgetEnded, loadLooks, loadSnapshot } from "../src/store.ts";
import { subscriptions } from "../src/subscriptions.ts";
import { openPlace, type Place, startController } from "./support/controller.ts";
import { id, sampleSpec } from "./support/sample.ts";

type Controller = Awaited<ReturnType<typeof startController>>;

let place: Place;
const running: Controller[] = [];
beforeEach(async () => {
  place = await openPlace();
});
afterEach(async () => {
  for (const controller of running.splice(0)) await controller.stop();
  await place.close();
});

async function start(away = { now: false }): Promise<Controller> {
  const controller = await startController(place, away);
  running.push(controller);
  return controller;
}

async function arm(controller: Controller, spec = sampleSpec()): Promise<void> {
  const first = armed(id, spec);
  await controller.durable.create(undefined, controller.machine, id, first.state, first.commands);
  await controller.watchers.arm(id, spec);
}

/** As a PUT does it: the row first. */
async function move(controller: Controller, spec: WatchRequest): Promise<void> {
  await controller.durable.send(controller.machine, id, (): WatchInput => ({ type: "Arm", spec }));
  await controller.watchers.arm(id, spec);
}

const phase = async ({ durable, machine }: Controller) => (await durable.read(machine, id))?.state.phase;
function goBad(): void {
  for (const name of ["a", "b"]) place.region(name).errorsPerRead = 6;
}

const shutIn = (name: string) => place.region(name).fence.gate === "shut";

test("tells a PASS once the evidence is there, and not before", async () => {
  const controller = await start();
  await arm(controller);

  await until(() => controller.watchers.get(id)?.judgement?.verdict === "PASS", { what: "a PASS" });

  const { counts } = controller.watchers.get(id)!.judgement!;
  expect(counts.canary_requests).toBeGreaterThanOrEqual(459);
  await until(
    async () => {
      const { events } = await place.bus.read(watchTopic.name, 0, 100);
      return events.map(({ type }) => type).join() === "watch.armed,watch.judged,watch.judged";
    },
    { what: "the news on the bus" },
  );
});

test("on FAIL shuts every region by itself, confirms what it reads there, and tells", async () => {
  const controller = await start();
  goBad();
  await arm(controller);

  await until(
    async () => {
      const row = await controller.durable.read(controller.machine, id);
      return row?.state.phase === "failed" && Object.keys(row.state.shut).length === 2;
    },
    { what: "both regions confirmed" },
  );

  expect([shutIn("a"), shutIn("b")]).toEqual([true, true]);
});

test("keeps trying a region that does not answer, and lets no other wait for it", async () => {
  const controller = await start({ now: false });
  place.region("b").refusals = 3;
  goBad();
  await arm(controller);
  controller.away.now = true;

  await until(() => shutIn("a"), { what: "region a" });
  await until(() => shutIn("b"), { what: "region b" });
});

/** Until a PASS is stored, and the journal is empty again. */
async function untilPassed({ watchers, queue }: Controller): Promise<void> {
  await until(() => watchers.get(id)?.judgement?.verdict === "PASS", { what: "a PASS" });
  await until(() => queue.waiting.length === 0, { what: "stored news" });
  await queue.flush();
  await queue.onDisk(async () => undefined);
}

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
  await appendFile(join(place.folder, "news.jsonl"), '{"id":"D-7","news":{"ty');
  goBad();

  // Read when nothing is being written, as at a start.
  await until(() => controller.queue.waiting.length >= 3, { what: "news" });
  const told = controller.queue.waiting.map(({ news }) => news.type);
  await controller.queue.onDisk(async () => undefined);
  expect((await controller.journal.read()).map(({ news }) => news.type)).toEqual(expect.arrayContaining(told));
  expect((await controller.journal.aside()).map(({ line }) => line)).toContain('{"id":"D-7","news":{"ty');
});

test("forgets the looks of a watch that ended long ago, and never those of one at work", async () => {
  const controller = await start();
  await arm(controller);
  await until(async () => (await loadLooks(place.db, id)).length > 0, { what: "looks" });
  await sql`update look set at = at - interval '100 days'`.execute(place.db);
  await sql`insert into look (watch_id, at, looks) values ('D-1', now() - interval '100 days', '[]')`.execute(place.db);

  await forgetEnded(place.db, 86_400_000);

  expect((await loadLooks(place.db, id)).length).toBeGreaterThan(0);
  const left = await place.db.selectFrom("look").select("watch_id").where("watch_id", "=", "D-1").execute();
  expect(left).toEqual([]);
});

test("goes on judging after a restart where its snapshot left off", async () => {
  const first = await start();
  await arm(first);
  await until(() => (first.watchers.get(id)?.looking.judge.total.canary_requests ?? 0) >= 200, {
    what: "some requests",
  });
  await running.pop()?.stop();
  const known = (await loadSnapshot(place.db, id))?.looking.judge.total.canary_requests ?? 0;
  expect(known).toBeGreaterThanOrEqual(200);

  const second = await start();

  expect(second.watchers.get(id)?.looking.judge.total.canary_requests).toBeGreaterThanOrEqual(known);
  await until(() => second.watchers.get(id)?.judgement?.verdict === "PASS", { what: "a PASS" });
});

test.each([
  ["with a snapshot of before", true],
  ["without any", false],
])("killed after its row was moved to a window, %s, it gathers for that window", async (_how, snapshot) => {
  const first = await start();
  await arm(first);
  await until(() => first.watchers.get(id)?.judgement?.verdict === "PASS", { what: "a PASS of the window before" });
  await running.pop()?.stop();
  if (!snapshot) await place.db.deleteFrom("snapshot").execute();
  const window_from = addMs(systemClock.now(), 60_000);
  const spec = sampleSpec({ window_from });
  await first.durable.send(first.machine, id, (): WatchInput => ({ type: "Arm", spec }));

  const second = await start();

  await until(() => second.watchers.get(id)?.judgement?.window_from === window_from, { what: "its window" });
  await until(() => second.watchers.get(id)?.judgement?.verdict === "PASS", { what: "a PASS of it" });
});

test("what was seen under the grant before does not speak for the new one, also after a restart", async () => {
  const first = await start();
  await arm(first);
  await until(() => (first.watchers.get(id)?.looking.judge.total.canary_requests ?? 0) >= 200, { what: "requests" });
  await running.pop()?.stop();
  const spec = sampleSpec({ epochs: { a: 5, b: 5 }, window_from: addMs(systemClock.now(), 60_000) });
  await first.durable.send(first.machine, id, (): WatchInput => ({ type: "Arm", spec }));
  for (const name of ["a", "b"]) place.region(name).unreadable = true;

  const second = await start();

  expect(second.watchers.get(id)?.looking.judge.total.canary_requests).toBe(0);
});

test("started with the database away it watches what the journal names, and shuts again what had failed", async () => {
  const first = await start();
  await arm(first);
  first.away.now = true;
  goBad();
  await until(async () => (await first.journal.watches()).some(({ failed }) => failed), { what: "the FAIL on disk" });
  await running.pop()?.stop();
  const lowered = place.region("b").lowered;

  const second = await start({ now: true });

  expect(second.watchers.get(id)?.state).toBe("failed");
  await until(() => place.region("b").lowered > lowered, { what: "region b to be shut again" });
});

test("stops looking when the watch has ended", async () => {
  const controller = await start();
  await arm(controller);
  await controller.watchers.end(id);
  const watched = controller.watchers.get(id);
  const { reads } = place.region("a");

  await controller.queue.flush();

  expect(watched).toBeUndefined();
  expect(place.region("a").reads).toBe(reads);
});

test("refuses an arming under older epochs, and goes on under the newer ones", async () => {
  const controller = await start();
  const put = await handlerOf(controller, putWatch);
  await put(sampleSpec({ epochs: { a: 5, b: 5 } }));

  expect(await put(sampleSpec())).toMatchObject({ kind: "refusal", code: "watch.stale_epoch" });
  expect(controller.watchers.get(id)?.spec.epochs).toEqual({ a: 5, b: 5 });
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
  expect(await audited()).toEqual([
    { actor: "ada", action: "watch.shut", subject: id, detail: { reason: "it smells" } },
    { actor: "ada", action: "watch.shut", subject: id, detail: { reason: "no reason given" } },
  ]);
});

test("what it stored of its looks gives the same judge again", async () => {
  const controller = await start();
  await arm(controller);
  const first = controller.watchers.get(id)!;
  const begun = startLooking(sampleSpec(), first.looking.windowFrom);
  await until(() => first.looking.judge.total.canary_requests >= 300, { what: "some requests" });
  await running.pop()?.stop();

  const looks = await loadLooks(place.db, id);
  const snapshot = await loadSnapshot(place.db, id);
  const replayed = looks.reduce((looking, { at, look }) => addLook(looking, look, at), begun);

  expect(looks.length).toBeGreaterThan(10);
  expect(replayed.judge.total).toEqual(snapshot?.looking.judge.total);
  expect(replayed.judge.errors).toEqual(snapshot?.looking.judge.errors);
});

test("looks asked for at the same time count nothing twice", async () => {
  const controller = await start();
  await arm(controller);
  const watcher = controller.watchers.get(id)!;

  await Promise.all(Array.from({ length: 20 }, () => watcher.look()));

  const { canary_requests } = watcher.looking.totals.a!;
  expect(canary_requests).toBeLessThanOrEqual(10 * (place.region("a").reads - 1));
});

async function audited(): Promise<readonly object[]> {
  const { rows } = await sql<object>`select actor, action, subject, detail from audit order by seq`.execute(place.db);
  return rows;
}

async function handlerOf({ service }: Controller, wanted: object) {
  const handlers = new Map<object, (call: object) => Promise<unknown>>();
  const serve = (endpoint: object, handler: (call: object) => Promise<unknown>) => void handlers.set(endpoint, handler);
  routes({ serve } as unknown as ServiceApp, service);
  const call = { params: { id }, now: new Date().toISOString(), principal: { name: "ada", roles: ["deployer"] } };
  return (body: object) => handlers.get(wanted)?.({ ...call, body });
}

test("a verified version is watched on: a FAIL is told, and nothing is shut, since the version before it is gone", async () => {
  const controller = await start();
  await arm(controller, sampleSpec({ mode: "live", step: 2, weight_percent: 100 }));
  const until24h = addMs(systemClock.now(), 24 * 3_600_000);
  await move(controller, sampleSpec({ mode: "verified", step: 2, weight_percent: 100, until: until24h }));
  const [subscription] = subscriptions(controller.service);
  await subscription?.handler(deploymentEvent("verified"), { signal: new AbortController().signal });
  expect(controller.watchers.get(id)?.state).toBe("watching");

  for (const name of ["a", "b"]) place.region(name).errorsPerRead = 8;

  await until(async () => (await phase(controller)) === "failed", { what: "a stored FAIL" });
  for (const name of ["a", "b"]) expect(place.region(name)).toMatchObject({ lowered: 0, fence: { gate: "open" } });
});

test("the watch of a verified version ends at its time, also when the controller was restarted in between", async () => {
  const controller = await start();
  await arm(controller, sampleSpec({ mode: "live", step: 2, weight_percent: 100 }));
  const soon = addMs(systemClock.now(), 1_500);
  const spec = sampleSpec({ mode: "verified", step: 2, weight_percent: 100, until: soon });
  await move(controller, spec);
  await controller.stop();
  running.splice(0);

  const next = await start();

  await until(async () => (await phase(next)) === "ended", { what: "the end of the watch" });
  expect(next.watchers.get(id)).toBeUndefined();
});

function deploymentEvent(type: "verified"): CloudEvent {
  const { service, environment, version } = sampleSpec();
  const commit = { digest: `sha256:${"1".repeat(64)}`, git_sha: "1".repeat(40) };
  return {
    ...{
      specversion: "1.0",
      id: `e-${type}`,
      source: "deployment-orchestrator",
      type: `deployment.${type}`,
      subject: id,
    },
    ...{ time: systemClock.now(), datacontenttype: "application/json" },
    data: { deployment_id: id, service, environment, version, ...commit, regions: ["a", "b"] },
  };
}
