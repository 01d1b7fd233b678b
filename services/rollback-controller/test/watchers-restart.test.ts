import { addMs, systemClock } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { expect, test } from "vitest";
import { addLook, startLooking } from "../src/domain/looking.ts";
import type { WatchInput } from "../src/domain/watch.ts";
import { loadLooks, loadSnapshot } from "../src/store.ts";
import { id, sampleSpec } from "./support/sample.ts";
import { arm, placeOfEachTest } from "./support/watching.ts";

const { place, start, stopLast } = placeOfEachTest();

test("goes on judging after a restart where its snapshot left off", async () => {
  const first = await start();
  await arm(first);
  await until(() => (first.watchers.get(id)?.looking.judge.total.canary_requests ?? 0) >= 200, {
    what: "some requests",
  });
  await stopLast();
  const known = (await loadSnapshot(place().db, id))?.looking.judge.total.canary_requests ?? 0;
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
  await stopLast();
  if (!snapshot) await place().db.deleteFrom("snapshot").execute();
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
  await stopLast();
  const spec = sampleSpec({ epochs: { a: 5, b: 5 }, window_from: addMs(systemClock.now(), 60_000) });
  await first.durable.send(first.machine, id, (): WatchInput => ({ type: "Arm", spec }));
  for (const name of ["a", "b"]) place().region(name).unreadable = true;

  const second = await start();

  expect(second.watchers.get(id)?.looking.judge.total.canary_requests).toBe(0);
});

test("what it stored of its looks gives the same judge again", async () => {
  const controller = await start();
  await arm(controller);
  const first = controller.watchers.get(id)!;
  const begun = startLooking(sampleSpec(), first.looking.windowFrom);
  await until(() => first.looking.judge.total.canary_requests >= 300, { what: "some requests" });
  await stopLast();

  const looks = await loadLooks(place().db, id);
  const snapshot = await loadSnapshot(place().db, id);
  const replayed = looks.reduce((looking, { at, look }) => addLook(looking, look, at), begun);

  expect(looks.length).toBeGreaterThan(10);
  expect(replayed.judge.total).toEqual(snapshot?.looking.judge.total);
  expect(replayed.judge.errors).toEqual(snapshot?.looking.judge.errors);
});

test.each([
  ["at 100%", "live"],
  ["of a verified version", "verified"],
] as const)(
  "looks %s are stored seldom, and all of them by the time that the process has ended",
  async (_when, mode) => {
    const controller = await start();
    const spec = sampleSpec({ mode });
    await arm(controller, spec);
    const first = controller.watchers.get(id)!;
    const begun = startLooking(spec, first.looking.windowFrom);
    await until(() => first.looking.judge.total.canary_requests >= 300, { what: "some requests" });
    const early = (await loadLooks(place().db, id)).length;
    await stopLast();

    const looks = await loadLooks(place().db, id);
    const snapshot = await loadSnapshot(place().db, id);
    const replayed = looks.reduce((looking, { at, look }) => addLook(looking, look, at), begun);

    expect(looks.length - early).toBeGreaterThan(10);
    expect(replayed.judge.total).toEqual(snapshot?.looking.judge.total);
    expect(replayed.judge.errors).toEqual(snapshot?.looking.judge.errors);
  },
);
