import { deploymentTopic, parseEvent } from "@slipway/contracts";
import type { VersionName } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { In, Plan } from "../src/domain/deployment.ts";
import { rollBackVerified } from "../src/rollback.ts";
import { isBanned, takenBackSince } from "../src/store.ts";
import { type Orchestrator, startOrchestrator, versionOf } from "./support/orchestrator.ts";

const prod = "prod" as Plan["environment"];
const principal = { name: "ada", roles: ["deployer"] as const };

let orchestrator: Orchestrator;
beforeEach(async () => {
  orchestrator = await startOrchestrator();
});
afterEach(async () => {
  await orchestrator.close();
});

async function verified(change: Partial<Plan> = {}): Promise<In<"verified">> {
  const id = await orchestrator.deploy({ verifyAfterMs: 50, ...change });
  return (await orchestrator.reaches(id, "verified")) as In<"verified">;
}

const takeBack = (bad: In<"verified">) =>
  rollBackVerified(orchestrator.service, bad, { principal, reason: "it smells" }, bad.at, undefined);

/** What the bus has of versions that were found bad, by the deployment that had brought them. */
async function told() {
  const { events } = await orchestrator.bus.read(deploymentTopic.name, 0, 500);
  return events.flatMap((event) => {
    const read = parseEvent(deploymentTopic, event);
    return read?.type === "deployment.found_bad" ? [{ subject: event.subject, ...read.data }] : [];
  });
}

const isTold = (count: number) =>
  until(async () => ((found) => (found.length >= count ? found : undefined))(await told()), { what: "it to be told" });

test("a verified version that turns bad is told as bad, with what leads away from it", async () => {
  await verified();
  const bad = await verified();
  orchestrator.watch.failAt.set(bad.plan.id, 100);

  await orchestrator.reaches("D-3", "watching", "verified");

  expect(await isTold(1)).toMatchObject([
    {
      ...{ subject: bad.plan.id, deployment_id: bad.plan.id, version: versionOf(2), digest: bad.plan.digest },
      ...{ by: "rollback-controller", reason: "FAIL at 5%", way_back: "D-3" },
    },
  ]);
});

test("one that a person takes back is told with the person, and does not come back unless an approver asks for it", async () => {
  await verified();
  const bad = await verified();
  const waiting = { ...bad.plan, id: "D-9" as Plan["id"] };
  expect(await isBanned(orchestrator.db, prod, versionOf(2))).toBe(false);

  const { plan } = await takeBack(bad);

  expect(await isTold(1)).toMatchObject([{ subject: "D-2", by: "ada", reason: "it smells", way_back: plan.id }]);
  expect(await isBanned(orchestrator.db, prod, versionOf(2))).toBe(true);
  expect(await isBanned(orchestrator.db, prod, versionOf(1))).toBe(false);
  // Another deployment of it, which was asked for before and waits elsewhere, hears of that; one that is asked for later was meant.
  expect(await takenBackSince(orchestrator.db, waiting)).toBe("D-2");
  const later = { ...waiting, createdAt: new Date(Date.now() + 60_000).toISOString() as Plan["createdAt"] };
  expect(await takenBackSince(orchestrator.db, later)).toBeUndefined();
});

test("where there is no version to go back to, that is told once, with why", async () => {
  const only = await verified();
  orchestrator.watch.failAt.set(only.plan.id, 100);

  const found = await isTold(1);

  expect(found).toMatchObject([
    { subject: "D-1", way_back: null, no_way_back: expect.stringContaining("No version was verified before") },
  ]);
});

test("two bad versions do not lead back to each other: the way back goes to the last that is not known to be bad", async () => {
  await verified();
  await verified();
  const third = await verified();

  const firstWay = await takeBack(third);
  expect(firstWay.plan.version).toBe(versionOf(2));
  const second = (await orchestrator.reaches(firstWay.plan.id, "verified")) as In<"verified">;
  const secondWay = await takeBack(second);

  expect(secondWay.plan.version).toBe(versionOf(1));
});

test("a version that was brought again after it had been bad, and held, may be gone back to", async () => {
  await verified();
  const second = await verified();
  await orchestrator.reaches((await takeBack(second)).plan.id, "watching", "verified");
  const again = await verified({ version: versionOf(2) as VersionName });
  const last = await verified();

  expect((await takeBack(last)).plan.version).toBe(again.plan.version);
});
