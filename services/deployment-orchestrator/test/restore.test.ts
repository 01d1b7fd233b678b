import { systemClock } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refuseWhileObserving } from "../src/observing.ts";
import { acceptRestored, compareRestored } from "../src/restore.ts";
import { type Orchestrator, openPlace, type Place, startOrchestrator, versionOf } from "./support/orchestrator.ts";
import { oldVersion } from "./support/sample.ts";

const longBake = [
  { weightPercent: 5, bakeMs: 600_000 },
  { weightPercent: 100, bakeMs: 0 },
];
const where = { service: "orders", environment: "prod" } as never;

let place: Place;
let orchestrator: Orchestrator;

/** A backup with a canary at 5% in it; afterwards that canary was taken back, and another version went to 100%. */
beforeEach(async () => {
  place = await openPlace();
  orchestrator = await startOrchestrator(place);
  await orchestrator.reaches(await orchestrator.deploy({ steps: longBake }), "baking");
  await orchestrator.close();
  await place.database.backup();
  orchestrator = await startOrchestrator(place);
  await orchestrator.send("D-1", (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));
  await orchestrator.reaches("D-1", "rolled_back");
  await orchestrator.reaches(await orchestrator.deploy(), "watching");
  await orchestrator.lockIsFree();
  await orchestrator.close();
  await place.database.restore();
  orchestrator = await startOrchestrator(place);
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
  await place.database.close();
});

const reason = async () => {
  const pending = await orchestrator.service.durable.pending(orchestrator.service.machine, "D-1");
  return pending.map(({ lastReason }) => lastReason).join();
};

describe("a database that is older than its regions", () => {
  test("only observes them: nothing is written, new deployments are refused, and what waits says why", async () => {
    const before = orchestrator.clusters.map(({ done }) => done.length);

    const { differences, unread } = await compareRestored(orchestrator.service);

    expect(unread).toEqual([]);
    expect(differences).toMatchObject([
      { region: "a", epoch_here: 1, epoch_there: 2, holder_there: "D-2", live_here: null, live_there: versionOf(2) },
      { region: "b", weights: { [versionOf(2)]: 100 } },
    ]);
    await expect(refuseWhileObserving(orchestrator.service.behind, where, ["a" as never])).rejects.toMatchObject({
      code: "restore.required",
      remedy: expect.stringContaining("slipway restore accept"),
    });
    await orchestrator.send("D-1", (now) => ({ type: "Rollback", by: "ada", reason: "I forgot that I did", now }));
    await until(async () => (await reason()).includes("newer grant"), { what: "the reason of the wait" });
    expect((await orchestrator.state("D-1")).phase).toBe("restoring");
    expect(orchestrator.clusters.map(({ done }) => done.length)).toEqual(before);
  });

  test("goes on when it is accepted: the lost time's deployments are void, and the next grant is above the regions'", async () => {
    const { differences } = await compareRestored(orchestrator.service);
    const expected = differences.map(({ id }) => id);

    const answer = await acceptRestored(orchestrator.service, { expected }, "root", systemClock.now());

    expect(answer).toMatchObject({ accepted: differences, voided: ["D-1"], unread: [] });
    expect(await orchestrator.state("D-1")).toMatchObject({
      phase: "superseded",
      reason: expect.stringContaining("root accepted"),
    });
    expect(await orchestrator.audited("restore.accepted")).toHaveLength(1);
    const next = await orchestrator.deploy({ steps: longBake });
    expect(next, "ids that a region still names are not given again").toBe("D-3");
    await orchestrator.reaches(next, "baking");
    for (const { fence, weights } of orchestrator.clusters) {
      expect(fence).toMatchObject({ epoch: 3, gate: "open", holder: "D-3" });
      expect(weights).toMatchObject({ [versionOf(2)]: 95, [versionOf(3)]: 5 });
      expect(weights[oldVersion] ?? 0).toBe(0);
    }
    expect((await compareRestored(orchestrator.service)).observing).toBe(false);
  });

  test("accepts exactly what was shown, and nothing when there is nothing", async () => {
    const { service } = orchestrator;
    const { differences } = await compareRestored(service);
    const some = differences.slice(1).map(({ id }) => id);
    const all = differences.map(({ id }) => id);

    await expect(acceptRestored(service, { expected: some }, "root", systemClock.now())).rejects.toMatchObject({
      code: "restore.changed",
    });
    await acceptRestored(service, { expected: all }, "root", systemClock.now());
    await expect(acceptRestored(service, { expected: all }, "root", systemClock.now())).rejects.toMatchObject({
      code: "restore.nothing",
    });
  });

  test("tells which region could not be read, and finds it later", async () => {
    const { service } = orchestrator;
    await orchestrator.stopObserving();
    await service.behind.forget((await service.behind.observed()).filter(({ region }) => region === "b"));
    orchestrator.cluster("b").away = true;

    const { differences, unread } = await compareRestored(service);
    expect(differences.map(({ region }) => region)).toEqual(["a"]);
    expect(unread).toMatchObject([{ region: "b" }]);

    orchestrator.cluster("b").away = false;
    orchestrator.observe();
    await until(async () => (await service.behind.observed()).length === 2, { what: "region b to be found" });
  });
});
