import type { EnvironmentName } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isBanned } from "../src/store.ts";
import { type Orchestrator, openPlace, type Place, startOrchestrator, versionOf } from "./support/orchestrator.ts";
import { oldVersion } from "./support/sample.ts";

const bad = versionOf(1);
const prod = "prod" as EnvironmentName;

let place: Place;
let orchestrator: Orchestrator;
beforeEach(async () => {
  place = await openPlace("ab");
  orchestrator = await startOrchestrator(place);
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
  await place.database.close();
});

const long = {
  version: bad,
  steps: [
    { weightPercent: 5, bakeMs: 600_000 },
    { weightPercent: 100, bakeMs: 0 },
  ],
};
const takeBack = (id: string) =>
  orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));

test("what waits with a version that is taken back meanwhile ends without a request, and says by whom and what to do", async () => {
  const first = await orchestrator.deploy(long);
  await orchestrator.reaches(first, "baking");
  const waiting = await orchestrator.deploy(long);
  const other = await orchestrator.deploy();
  await orchestrator.reaches(waiting, "queued");
  await takeBack(first);

  const ended = await orchestrator.reaches(waiting, "failed");

  expect(ended).toMatchObject({
    ...{ hadWeight: false, reason: expect.stringContaining(`was rolled back in prod meanwhile (${first})`) },
  });
  await orchestrator.reaches(other, "watching");
  expect(orchestrator.clusters.map(({ live, workloads }) => [live, workloads.has(bad)])).toEqual([
    ...[
      [versionOf(3), false],
      [versionOf(3), false],
    ],
  ]);
  await orchestrator.lockIsFree();
});

test("whoever asks for it again while it is being taken back knows that: it goes out once that is done", async () => {
  const first = await orchestrator.deploy(long);
  await orchestrator.reaches(first, "baking");
  orchestrator.cluster("b").away = true;
  await takeBack(first);
  await until(async () => (await orchestrator.state(first)).regions.a?.state === "retired", { what: "a to be done" });
  const again = await orchestrator.deploy({ version: bad });
  await orchestrator.reaches(again, "queued");
  orchestrator.cluster("b").away = false;

  await orchestrator.reaches(again, "watching");

  expect((await orchestrator.state(first)).phase).toBe("rolled_back");
  expect(orchestrator.clusters.map(({ live }) => live)).toEqual([bad, bad]);
});

test("a version is banned from the moment on at which it is taken back, also while a region is away", async () => {
  const first = await orchestrator.deploy(long);
  await orchestrator.reaches(first, "baking");
  expect(await isBanned(orchestrator.db, prod, bad)).toBe(false);
  orchestrator.cluster("b").away = true;
  await takeBack(first);
  await orchestrator.reaches(first, "restoring");

  expect(await isBanned(orchestrator.db, prod, bad)).toBe(true);
  expect(await isBanned(orchestrator.db, prod, oldVersion)).toBe(false);
});
