import { inboxOnce } from "@slipway/bus";
import { deploymentTopic } from "@slipway/contracts";
import { instant } from "@slipway/kernel";
import { seededRandom, testEvent, until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isBanned, listDeployments } from "../src/store.ts";
import { subscriptions } from "../src/subscriptions.ts";
import { type Orchestrator, startOrchestrator, versionOf, weightsOf } from "./support/orchestrator.ts";
import { judgement, oldVersion } from "./support/sample.ts";

const first = versionOf(1);
const second = versionOf(2);

let orchestrator: Orchestrator;
beforeEach(async () => {
  orchestrator = await startOrchestrator();
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
});

const everywhere = (weights: Record<string, number>) => {
  for (const cluster of orchestrator.clusters) expect(cluster.weights).toMatchObject(weights);
};

async function lockHolders(): Promise<readonly (string | null)[]> {
  const targets = ["a", "b"].map((region) => ({ service: "orders", environment: "prod", region }));
  const found = await orchestrator.locks.holders(targets as never);
  return found.map(({ holder }) => holder);
}

/** Why commands of the deployment wait. */
async function reasons(id: string): Promise<readonly string[]> {
  return (await orchestrator.pending(id)).map(({ lastReason }) => lastReason ?? "");
}

async function published(id: string): Promise<readonly string[]> {
  const { events } = await orchestrator.bus.read(deploymentTopic.name, 0, 500);
  return events.filter((event) => event.subject === id).map((event) => event.type.replace("deployment.", ""));
}

describe("a healthy canary", () => {
  test("comes to 100% in both regions, gives the lock back, is verified, and the old version is taken away", async () => {
    const id = await orchestrator.deploy({ verifyAfterMs: 200 });

    await orchestrator.reaches(id, "verified");

    for (const cluster of orchestrator.clusters) expect(weightsOf(cluster, first)).toEqual([5, 25, 100]);
    everywhere({ [first]: 100 });
    expect(await lockHolders()).toEqual([null, null]);
    await until(() => orchestrator.clusters.every(({ workloads }) => !workloads.has(oldVersion)), {
      what: "the old workload to be gone",
    });
    await until(async () => (await published(id)).at(-1) === "verified", { what: "the last event" });
    const events = (await published(id)).filter((type) => type !== "gate");
    const steps = ["step_started", "step_started", "step_started"];
    expect(events).toEqual(["accepted", "granted", "opened", ...steps, "succeeded", "verified"]);
  });

  test.each([1, 2, 3])(
    "ends the same when outcomes are lost and workers replaced again and again (seed %i)",
    async (seed) => {
      const random = seededRandom(seed);
      orchestrator.crashAfterEffects(random, 0.3);
      const id = await orchestrator.deploy();

      const arrived = orchestrator.reaches(id, "watching", "restoring", "failed", "held");
      let waiting = true;
      void arrived.finally(() => {
        waiting = false;
      });
      while (waiting) {
        const from = orchestrator.clusters.flatMap(({ done }) => done).length;
        await until(
          () => !waiting || orchestrator.clusters.flatMap(({ done }) => done).length > from + random.below(3),
          {
            what: "something to be done",
          },
        );
        await orchestrator.replaceWorker();
      }

      expect((await arrived).phase).toBe("watching");
      for (const cluster of orchestrator.clusters) expect(weightsOf(cluster, first)).toEqual([5, 25, 100]);
      for (const { live } of orchestrator.clusters) expect(live).toBe(first);
      await until(async () => (await lockHolders()).every((holder) => holder === null), {
        what: "the lock to be free",
      });
    },
  );
});

describe("a bad canary", () => {
  test("is taken out of every region, drained and retired, and its lock is free", async () => {
    orchestrator.watch.failAt.set("D-1", 25);
    const id = await orchestrator.deploy();

    const ended = await orchestrator.reaches(id, "rolled_back");

    expect(ended).toMatchObject({ hadWeight: true });
    everywhere({ [oldVersion]: 100 });
    for (const { done, workloads, fence } of orchestrator.clusters) {
      expect(done.indexOf(`lower ${first}`)).toBeLessThan(done.indexOf(`retire ${first}`));
      expect(workloads.has(first)).toBe(false);
      expect(fence).toMatchObject({ gate: "shut" });
    }
    await until(async () => (await lockHolders()).every((holder) => holder === null), { what: "the lock to be free" });
  });

  test("does not wait for a region that is away, and is taken out of it once it is back", async () => {
    const id = await orchestrator.deploy({
      steps: [
        { weightPercent: 5, bakeMs: 600_000 },
        { weightPercent: 100, bakeMs: 0 },
      ],
    });
    await orchestrator.reaches(id, "baking");
    orchestrator.cluster("b").away = true;

    await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));
    await until(() => orchestrator.cluster("a").weights[oldVersion] === 100, { what: "region a to be lowered" });
    expect((await orchestrator.state(id)).phase).toBe("restoring");
    expect(orchestrator.cluster("b").weights[first]).toBe(5);
    orchestrator.cluster("b").away = false;

    await orchestrator.reaches(id, "rolled_back");
    everywhere({ [oldVersion]: 100 });
  });

  test("keeps its pods while a mesh cannot be read or still sends them requests", async () => {
    orchestrator.watch.failAt.set("D-1", 5);
    orchestrator.mesh("a").lingering.add(first);
    orchestrator.mesh("b").unreadable = true;
    const id = await orchestrator.deploy();
    await orchestrator.reaches(id, "restoring");

    await until(async () => (await reasons(id)).some((reason) => reason.includes("still sends it requests")), {
      what: "the drain of a to say why it waits",
    });
    await until(async () => (await reasons(id)).some((reason) => reason.includes("cannot be read")), {
      what: "the drain of b to say why it waits",
    });
    for (const { workloads } of orchestrator.clusters) expect(workloads.has(first)).toBe(true);
    orchestrator.mesh("a").lingering.clear();
    orchestrator.mesh("b").unreadable = false;

    await orchestrator.reaches(id, "rolled_back");
    for (const { workloads } of orchestrator.clusters) expect(workloads.has(first)).toBe(false);
  });

  test("found bad after 100% is replaced by its baseline, in traffic and in the base Service", async () => {
    const id = await orchestrator.deploy();
    await orchestrator.reaches(id, "watching");
    orchestrator.watch.failAt.set(id, 100);

    await orchestrator.reaches(id, "rolled_back");

    everywhere({ [oldVersion]: 100 });
    for (const { live, workloads } of orchestrator.clusters) {
      expect(live).toBe(oldVersion);
      expect([...workloads.keys()]).toEqual([oldVersion]);
    }
    await until(async () => (await lockHolders()).every((holder) => holder === null), { what: "the lock to be free" });
  });
});

describe("a version found bad after it was verified", () => {
  test("is replaced by the version verified before it: a deployment of its own, asked for by nobody, once", async () => {
    const good = await orchestrator.deploy({ verifyAfterMs: 100 });
    await orchestrator.reaches(good, "verified");
    const bad = await orchestrator.deploy({ verifyAfterMs: 100 });
    await orchestrator.reaches(bad, "verified");
    await until(() => orchestrator.clusters.every(({ workloads }) => !workloads.has(first)), {
      what: "no way to shut",
    });
    orchestrator.watch.failAt.set(bad, 100);

    const back = await orchestrator.reaches("D-3", "watching", "verified");

    expect(back.plan).toMatchObject({ rollsBack: bad, version: first, requestedBy: "rollback-controller" });
    everywhere({ [first]: 100 });
    for (const cluster of orchestrator.clusters) expect(cluster.live).toBe(first);
    expect(await isBanned(orchestrator.db, "prod" as never, second)).toBe(true);
    expect(await isBanned(orchestrator.db, "prod" as never, first)).toBe(false);
  });

  test("stays where no version was verified before it, and why is written down", async () => {
    const only = await orchestrator.deploy({ verifyAfterMs: 100 });
    await orchestrator.reaches(only, "verified");
    orchestrator.watch.failAt.set(only, 100);

    const entries = () => orchestrator.audited("deployment.no_way_back");
    await until(async () => (await entries()).length === 1, { what: "the audit entry" });

    expect(await entries()).toMatchObject([
      { subject: only, detail: { why: expect.stringContaining("was verified") } },
    ]);
    everywhere({ [first]: 100 });
  });
});

test("a FAIL that was taken before the version was verified is not acted on when it comes again", async () => {
  const good = await orchestrator.deploy({ verifyAfterMs: 100 });
  await orchestrator.reaches(good, "verified");
  const id = await orchestrator.deploy({ verifyAfterMs: 100 });
  const { plan } = await orchestrator.reaches(id, "verified");
  const { service, environment, version, regions } = plan;
  const epochs = Object.fromEntries(regions.map((region) => [region, 2]));
  const found = judgement({ verdict: "FAIL", step: 0, regions, at: instant(Date.now()) });
  const data = { deployment_id: id, service, environment, version, epochs, judgement: found, first_error_at: null };
  const old = { ...testEvent("old-news", id, data), type: "watch.failed" };
  await orchestrator.db.transaction().execute((tx) => inboxOnce(tx, "deployment-orchestrator", old.id));

  const [subscription] = subscriptions(orchestrator.service);
  await subscription?.handler(old, { signal: new AbortController().signal });

  expect(await listDeployments(orchestrator.db, {}, 10)).toHaveLength(2);
});

describe("two deployments", () => {
  test("go one after the other: the second waits for the first, and shows it", async () => {
    const older = await orchestrator.deploy({
      steps: [
        { weightPercent: 5, bakeMs: 600_000 },
        { weightPercent: 100, bakeMs: 0 },
      ],
    });
    await orchestrator.reaches(older, "baking");
    const newer = await orchestrator.deploy();
    expect(await orchestrator.reaches(newer, "queued")).toMatchObject({ behind: older });

    await orchestrator.send(older, (now) => ({ type: "Rollback", by: "ada", reason: "make way", now }));

    await orchestrator.reaches(newer, "watching");
    expect((await orchestrator.state(older)).phase).toBe("rolled_back");
    everywhere({ [second]: 100 });
  });

  test("the live version can be rolled back while a newer canary runs: both are gone, and nobody's traffic is lost", async () => {
    const live = await orchestrator.deploy();
    await orchestrator.reaches(live, "watching");
    const canary = await orchestrator.deploy({
      steps: [
        { weightPercent: 5, bakeMs: 600_000 },
        { weightPercent: 100, bakeMs: 0 },
      ],
    });
    await orchestrator.reaches(canary, "baking");

    await orchestrator.send(live, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));

    await orchestrator.reaches(live, "rolled_back");
    await orchestrator.reaches(canary, "rolled_back");
    everywhere({ [oldVersion]: 100 });
    for (const cluster of orchestrator.clusters) expect(cluster.live).toBe(oldVersion);
    await until(async () => (await lockHolders()).every((holder) => holder === null), { what: "the lock to be free" });
  });

  test("a version that was replaced before it was verified is no longer rolled back", async () => {
    const older = await orchestrator.deploy();
    await orchestrator.reaches(older, "watching");
    const newer = await orchestrator.deploy();
    await orchestrator.reaches(newer, "watching");

    await until(
      async () => ((await orchestrator.state(older)) as { replacedBy?: string | null }).replacedBy === newer,
      {
        what: "the first to know that it was replaced",
      },
    );
    const answer = await orchestrator.send(older, (now) => ({ type: "Rollback", by: "ada", reason: "late", now }));

    expect(answer).toMatchObject({ kind: "refusal", code: "deployment.phase" });
    everywhere({ [second]: 100 });
  });
});
