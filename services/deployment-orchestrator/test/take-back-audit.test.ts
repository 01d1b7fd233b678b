import { verifyAudit } from "@slipway/durable";
import { seededRandom, until } from "@slipway/testkit";
import { afterEach, expect, test } from "vitest";
import { rollBackVerified } from "../src/rollback.ts";
import { type Orchestrator, openPlace, type Place, startOrchestrator, versionOf } from "./support/orchestrator.ts";

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close();
});

async function started(place?: Place): Promise<Orchestrator> {
  const orchestrator = place === undefined ? await startOrchestrator() : await startOrchestrator(place);
  running.push(orchestrator);
  return orchestrator;
}

/** Once nothing is left to be done, so that a second entry would be there, too. */
async function rollbacks(orchestrator: Orchestrator, ...ids: readonly string[]) {
  for (const id of ids) {
    await until(async () => (await orchestrator.pending(id)).every(({ command }) => command.type === "WakeAt"), {
      what: `what ${id} has to do`,
    });
  }
  expect(await verifyAudit(orchestrator.db)).toMatchObject({ kind: "intact" });
  return orchestrator.audited("deployment.rollback");
}

const automatic = (subject: string) => ({
  ...{ actor: "rollback-controller", subject },
  detail: {
    ...{ service: "orders", environment: "prod", version: versionOf(1), because: "WatchFailed", verdict: "FAIL" },
    ...{ reason: "FAIL at 5%", weights: { a: expect.any(Number), b: expect.any(Number) }, rolled_back_by: null },
    evidence: { gate: expect.any(Number), step: expect.any(Number), counts: { canary_errors: 100 } },
  },
});

test("a canary that is taken back by itself has one entry: by whom, why, and with which numbers", async () => {
  const orchestrator = await started();
  orchestrator.watch.failAt.set("D-1", 25);
  const id = await orchestrator.deploy();

  const { gates } = await orchestrator.reaches(id, "rolled_back");

  const entries = await rollbacks(orchestrator, id);
  expect(entries).toHaveLength(1);
  expect(entries).toMatchObject([automatic(id)]);
  // The gate that it names is the one that was found bad.
  const found = gates.findIndex(({ verdict }) => verdict === "FAIL");
  expect(entries[0]?.detail.evidence).toMatchObject({ gate: found + 1 });
});

test.each([1, 2])("it has one when outcomes are lost and workers replaced all the time (seed %i)", async (seed) => {
  const orchestrator = await started();
  orchestrator.watch.failAt.set("D-1", 5);
  orchestrator.crashAfterEffects(seededRandom(seed), 0.5);
  const id = await orchestrator.deploy();

  await orchestrator.reaches(id, "restoring", "rolled_back");
  await orchestrator.replaceWorker();
  await orchestrator.reaches(id, "rolled_back");

  const entries = await rollbacks(orchestrator, id);
  expect(entries).toHaveLength(1);
  expect(entries).toMatchObject([automatic(id)]);
});

test("it has one where two replicas work on one database", async () => {
  const place = await openPlace();
  running.push(place.database);
  const one = await started(place);
  const other = await started(place);
  for (const { watch } of [one, other]) watch.failAt.set("D-1", 5);
  const id = await one.deploy();

  await other.reaches(id, "rolled_back");

  expect(await rollbacks(one, id)).toHaveLength(1);
});

test("a verified version that is taken back by itself has one, which names the deployment that leads back", async () => {
  const orchestrator = await started();
  const good = await orchestrator.deploy({ verifyAfterMs: 100 });
  await orchestrator.reaches(good, "verified");
  const bad = await orchestrator.deploy({ verifyAfterMs: 100 });
  await orchestrator.reaches(bad, "verified");
  orchestrator.watch.failAt.set(bad, 100);

  await orchestrator.reaches("D-3", "watching", "verified");

  const entries = await rollbacks(orchestrator, good, bad);
  expect(entries).toMatchObject([
    {
      ...{ actor: "rollback-controller", subject: bad },
      detail: { version: versionOf(2), verdict: "FAIL", reason: "FAIL at 5%", rolled_back_by: "D-3" },
    },
  ]);
  expect(entries).toHaveLength(1);
});

test("a person who takes a verified version back is named with the reason that was given", async () => {
  const orchestrator = await started();
  await orchestrator.reaches(await orchestrator.deploy({ verifyAfterMs: 100 }), "verified");
  const verified = await orchestrator.reaches(await orchestrator.deploy({ verifyAfterMs: 100 }), "verified");
  if (verified.phase !== "verified") throw new Error("it is not verified");

  const principal = { name: "ada", roles: ["deployer"] } as never;
  await rollBackVerified(orchestrator.service, verified, { principal, reason: "it smells" }, verified.at, undefined);

  expect(await orchestrator.audited("deployment.rollback")).toMatchObject([
    { actor: "ada", subject: "D-2", detail: { reason: "it smells", verdict: null, rolled_back_by: "D-3" } },
  ]);
});

test("what a person asks for, and what never had a request, has none beside the person's own", async () => {
  const orchestrator = await started();
  const long = { steps: [{ weightPercent: 5, bakeMs: 600_000 }] };
  const byHand = await orchestrator.deploy(long);
  await orchestrator.reaches(byHand, "baking");
  await orchestrator.send(byHand, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));
  await orchestrator.reaches(byHand, "rolled_back");

  expect(await rollbacks(orchestrator, byHand)).toEqual([]);
});
