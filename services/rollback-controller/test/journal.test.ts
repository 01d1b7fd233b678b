import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { watchTopic } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { armed, type WatchInput } from "../src/domain/watch.ts";
import { openJournal } from "../src/journal.ts";
import type { Entry } from "../src/news.ts";
import { id, sampleJudgement, sampleSpec, start } from "./support/sample.ts";
import { type Controller, placeOfEachTest } from "./support/watching.ts";

const judged = (key: string): Entry => ({ key, id, news: { type: "Judged", judgement: sampleJudgement("PASS") } });
const failed = (key: string, epochs?: Record<string, number>): Entry => ({
  key,
  id,
  news: { type: "Failed", judgement: sampleJudgement("FAIL"), firstErrorAt: start, epochs },
});
const now = () => start;

describe("a journal on disk", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-journal-"));
  });
  afterEach(async () => await rm(folder, { recursive: true }));

  test("loses nothing but a line that a kill cut short, and what is written after it is whole", async () => {
    const first = await openJournal(folder, now);
    await first.append(judged("1"));
    await appendFile(join(folder, "news.jsonl"), '{"key":"2","id":"D-7","ne');

    const second = await openJournal(folder, now);
    await second.append(judged("3"));

    expect((await second.read()).map(({ key }) => key)).toEqual(["1", "3"]);
    expect(await second.aside()).toEqual([]);
  });

  test("sets aside, once, a line that is no entry, and gives those behind it", async () => {
    const journal = await openJournal(folder, now);
    await journal.append(judged("1"));
    await appendFile(join(folder, "news.jsonl"), '{"id":"D-7","news":{"type":"Unheard"}}\n');
    await journal.append(judged("3"));

    expect((await journal.read()).map(({ key }) => key)).toEqual(["1", "3"]);
    await journal.read();
    expect((await journal.aside()).map(({ line }) => line)).toEqual(['{"id":"D-7","news":{"type":"Unheard"}}']);
  });

  test("takes an entry of an earlier version, which had no key, under the same key each time", async () => {
    const journal = await openJournal(folder, now);
    const { key: _, ...old } = judged("");
    await appendFile(join(folder, "news.jsonl"), `${JSON.stringify(old)}\n`);

    const [entry] = await journal.read();

    expect(entry).toMatchObject(old);
    expect((await journal.read())[0]?.key).toBe(entry?.key);
  });
});

describe("news on their way into the database", () => {
  const { place, start: started, stopLast, goBad, shutIn } = placeOfEachTest();

  async function armedController(): Promise<Controller> {
    const controller = await started();
    const first = armed(id, sampleSpec());
    await controller.durable.create(undefined, controller.machine, id, first.state, first.commands);
    return controller;
  }

  async function published(type: string): Promise<number> {
    const { events } = await place().bus.read(watchTopic.name, 0, 500);
    return events.filter((event) => event.type === type).length;
  }

  test("that are stored again after a kill in the middle of it have no second effect", async () => {
    const first = await armedController();
    await stopLast();
    // Stored, and the process was killed before it could clear the journal.
    const entries = [judged("1"), failed("2")];
    for (const entry of entries) await first.journal.append(entry);
    const text = await readFile(join(place().folder, "news.jsonl"), "utf8");
    await started();
    await stopLast();
    await appendFile(join(place().folder, "news.jsonl"), text);

    const second = await started();
    await second.queue.flush();
    await second.durable.idle();

    expect(second.queue.waiting).toEqual([]);
    expect(await published("watch.judged")).toBe(1);
    expect(await published("watch.failed")).toBe(1);
  });

  test("that can never be stored are set aside and shown, and hold up none behind them", async () => {
    const controller = await armedController();
    controller.queue.tell("D-99" as DeploymentId, judged("").news);
    controller.queue.tell(id, failed("").news);

    await until(async () => (await controller.durable.read(controller.machine, id))?.state.phase === "failed", {
      what: "what came behind",
    });
    expect(controller.queue.aside).toMatchObject([{ reason: "there is no watch for D-99" }]);
    await until(async () => (await controller.journal.aside()).length === 1, { what: "it on disk" });
  });

  test("of an older grant do not fail a newer one", async () => {
    const controller = await armedController();
    const newer: WatchInput = { type: "Arm", spec: sampleSpec({ epochs: { a: 3, b: 3 } }) };
    await controller.durable.send(controller.machine, id, () => newer);

    controller.queue.tell(id, failed("", { a: 2, b: 2 }).news);
    await controller.queue.flush();

    expect((await controller.durable.read(controller.machine, id))?.state.phase).toBe("watching");
  });

  test("reach the row after a start without the database, which the watch itself did not need", async () => {
    const before = await armedController();
    await before.keeper.take(id);
    await before.watchers.arm(id, sampleSpec());
    before.away.now = true;
    await until(() => (before.watchers.get(id)?.looking.judge.total.canary_requests ?? 0) >= 200, {
      what: "some requests",
    });
    // What a look that is under way sees from here on may come too late to be kept: the next one counts it again.
    const seen = before.watchers.get(id)?.looking.judge.total.canary_requests ?? 0;
    await stopLast();

    const away = { now: true };
    const after = await started(away);
    expect(after.known).toBe(false);
    expect(after.watchers.get(id)?.looking.judge.total.canary_requests).toBeGreaterThanOrEqual(seen);
    goBad();
    await until(() => ["a", "b"].every(shutIn), { what: "both regions" });

    away.now = false;
    await after.reconcile();
    await until(async () => (await after.durable.read(after.machine, id))?.state.phase === "failed", {
      what: "the row to know",
    });
    await until(async () => (await published("watch.failed")) === 1, { what: "the report" });
  });

  test("a watch that ended while the disk still named it is let go once the database is back", async () => {
    const before = await armedController();
    await before.keeper.take(id);
    await before.watchers.arm(id, sampleSpec());
    await stopLast();
    const ended: WatchInput = { type: "DeploymentEnded", outcome: "verified", totals: {}, judgement: null };
    await before.durable.send(before.machine, id, () => ended);

    const away = { now: true };
    const after = await started(away);
    expect(after.watchers.get(id)?.state).toBe("watching");
    away.now = false;
    await after.reconcile();

    expect(after.watchers.get(id)).toBeUndefined();
  });
});
