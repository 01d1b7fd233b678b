import { until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Plan } from "../src/domain/deployment.ts";
import { waitingOf } from "../src/domain/view.ts";
import { type Orchestrator, openPlace, startOrchestrator, versionOf } from "./support/orchestrator.ts";
import { oldVersion, regionsOf } from "./support/sample.ts";

let orchestrator: Orchestrator;
beforeEach(async () => {
  orchestrator = await startOrchestrator(await openPlace("abc"));
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
});

const staying: Partial<Plan> = {
  steps: [
    { weightPercent: 5, bakeMs: 600_000 },
    { weightPercent: 100, bakeMs: 0 },
  ],
};

/** In some of the regions. */
function deploy(regions: string, change: Partial<Plan> = {}): Promise<string> {
  const baselines = Object.fromEntries(regionsOf(regions).map((region) => [region, orchestrator.cluster(region).live]));
  return orchestrator.deploy({ regions: regionsOf(regions), baselines, ...change });
}

/** Those that are asked for at once come to the lock in any order: this one has come to it. */
const cameToTheLock = (id: string) =>
  until(async () => (await orchestrator.state(id)).phase !== "accepted", { what: `${id} at the lock` });

const giveUp = (id: string) =>
  orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "make way", now }));

describe("deployments of one service that share some of their regions", () => {
  test("never block each other for ever: {A,B}, {B,C} and {C,A} asked for at once all come to their end, one after the other", async () => {
    const ids = await Promise.all([deploy("ab"), deploy("bc"), deploy("ac")]);

    for (const id of ids) await orchestrator.reaches(id, "watching");

    for (const cluster of orchestrator.clusters) {
      // Each version came to 100% before the next one was given anything.
      const given = cluster.done.flatMap((entry) => (entry.startsWith("raise ") ? [entry.split(" ")[1] ?? ""] : []));
      expect(given.filter((version, i) => version !== given[i - 1])).toHaveLength(2);
    }
  });

  test("the one that waits says for whom, since when and what would unblock it, and no region of it is touched", async () => {
    const holder = await deploy("ab", staying);
    await orchestrator.reaches(holder, "baking");
    const waiter = await deploy("bc");
    await cameToTheLock(waiter);
    const behind = await deploy("c");

    const queued = await orchestrator.reaches(waiter, "queued");
    expect(waitingOf(queued)).toMatchObject({
      for: "the lock of its targets",
      holder,
      since: expect.stringMatching(/^\d{4}-/),
      unblockedBy: `${holder} ends`,
    });
    // First come, first served: what is free is kept for the one that came before.
    expect(waitingOf(await orchestrator.reaches(behind, "queued"))).toMatchObject({ holder: waiter });
    expect(orchestrator.cluster("c").done).toEqual([]);

    await giveUp(holder);
    await orchestrator.reaches(waiter, "watching");
    await orchestrator.reaches(behind, "watching");
  });

  test("a version that came to 100% while another deployment of it waited is not tried against itself, and its pods stay", async () => {
    const first = await deploy("ab");
    await cameToTheLock(first);
    const again = await deploy("ab", { version: versionOf(1) });

    await orchestrator.reaches(first, "watching");
    const ended = await orchestrator.reaches(again, "superseded");

    expect(ended).toMatchObject({ reason: expect.stringContaining("came to 100%") });
    for (const name of ["a", "b"]) {
      expect(orchestrator.cluster(name).live).toBe(versionOf(1));
      expect(orchestrator.cluster(name).weights).toMatchObject({ [versionOf(1)]: 100 });
      expect(orchestrator.cluster(name).workloads.has(versionOf(1))).toBe(true);
    }
    await orchestrator.lockIsFree();
  });

  test("the way back of what serves takes its regions at once from whoever has one of them, and who waits goes on waiting", async () => {
    const live = await deploy("ab");
    await orchestrator.reaches(live, "watching");
    const canary = await deploy("bc", staying);
    await orchestrator.reaches(canary, "baking");
    const waiter = await deploy("c");
    await orchestrator.reaches(waiter, "queued");

    await giveUp(live);

    await orchestrator.reaches(live, "rolled_back");
    await orchestrator.reaches(canary, "rolled_back");
    await orchestrator.reaches(waiter, "watching");
    for (const name of ["a", "b"]) expect(orchestrator.cluster(name).weights).toMatchObject({ [oldVersion]: 100 });
    expect(orchestrator.cluster("c").weights).toMatchObject({ [versionOf(3)]: 100 });
  });
});
