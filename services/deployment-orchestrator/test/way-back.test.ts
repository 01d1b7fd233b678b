import type { DeploymentId } from "@slipway/kernel";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { In } from "../src/domain/deployment.ts";
import { rollBackVerified } from "../src/rollback.ts";
import { viewNow } from "../src/views.ts";
import { type Orchestrator, openPlace, type Place, startOrchestrator, versionOf } from "./support/orchestrator.ts";

const [first, second] = [versionOf(1), versionOf(2)];
const principal = { name: "ada", roles: ["deployer"] as const };

let place: Place;
let orchestrator: Orchestrator;
let bad: In<"verified">;

/** Two versions, one after the other verified everywhere. */
beforeEach(async () => {
  place = await openPlace("abc");
  orchestrator = await startOrchestrator(place);
  for (const _ of [first, second]) {
    const id = await orchestrator.deploy({ verifyAfterMs: 50 });
    bad = (await orchestrator.reaches(id, "verified")) as In<"verified">;
  }
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
  await place.database.close();
});

const rollBack = () =>
  rollBackVerified(orchestrator.service, bad, { principal, reason: "it smells" }, bad.at, undefined);
const isBack = (region: string) => {
  const { live, weights } = orchestrator.cluster(region);
  return live === first && weights[first] === 100;
};

/** What it waits for, and why in b. */
const isShown = (id: DeploymentId, waitsFor: string, why: RegExp) =>
  until(
    async () => {
      const { waiting, regions } = await viewNow(orchestrator.service, id);
      return waiting?.for.startsWith(waitsFor) === true && why.test(regions.b?.reason ?? "");
    },
    { what: "b to be named with the reason", timeoutMs: 30_000 },
  );

test("a verified version is taken back in the regions that answer while one is away, which says so, and there once it is back", async () => {
  orchestrator.cluster("b").away = true;

  const { plan } = await rollBack();
  await until(() => isBack("a") && isBack("c"), { what: "the other regions to be back" });

  expect(isBack("b")).toBe(false);
  await isShown(plan.id, "the fence in b; ", /OpenFence, attempt \d+: .*it is away/);
  orchestrator.cluster("b").away = false;

  await orchestrator.reaches(plan.id, "watching");
  expect(["a", "b", "c"].filter(isBack)).toEqual(["a", "b", "c"]);
  await orchestrator.lockIsFree();
});

test("one that goes away once its fence is open holds up no other either", async () => {
  orchestrator.cluster("b").neverReady = true;

  const { plan } = await rollBack();
  await until(() => isBack("a") && isBack("c"), { what: "the other regions to be back" });
  orchestrator.cluster("b").away = true;
  orchestrator.cluster("b").neverReady = false;
  await isShown(plan.id, "ready pods in b; ", /its pods cannot be read: .*it is away/);
  expect(isBack("b")).toBe(false);
  orchestrator.cluster("b").away = false;

  await orchestrator.reaches(plan.id, "watching");
  expect(["a", "b", "c"].filter(isBack)).toEqual(["a", "b", "c"]);
});

test("what a newer deployment has begun elsewhere, while it waits for the fence of a region that is away, holds it up no more than that region", async () => {
  orchestrator.cluster("b").away = true;
  const newer = await orchestrator.deploy();
  await until(async () => (await orchestrator.state(newer)).regions.c?.state === "preparing", { what: "a fence" });
  expect((await orchestrator.state(newer)).phase).toBe("opening");

  await rollBack();
  await until(() => isBack("a") && isBack("c"), { what: "the other regions to be back" });
  orchestrator.cluster("b").away = false;

  await orchestrator.reaches("D-4", "watching");
  await orchestrator.reaches(newer, "superseded");
  expect(["a", "b", "c"].filter(isBack)).toEqual(["a", "b", "c"]);
});

test("a deployment that waits for the fence of a region that is away is taken back in the others at once", async () => {
  orchestrator.cluster("b").away = true;
  const id = await orchestrator.deploy();
  await until(async () => (await orchestrator.state(id)).regions.c?.state === "preparing", { what: "a fence" });

  await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "not today", now }));

  const states = async () => Object.values((await orchestrator.state(id)).regions).map(({ state }) => state);
  await until(async () => (await states()).join() === "retired,lowering,retired", { what: "the others to be done" });
  orchestrator.cluster("b").away = false;
  await orchestrator.reaches(id, "cancelled");
});

test("where a region that is away got another version since, by what was deployed last, nothing is taken back", async () => {
  const id = await orchestrator.deploy({ regions: [orchestrator.cluster("b").region] });
  await orchestrator.reaches(id, "watching");
  orchestrator.cluster("b").away = true;

  await expect(rollBack()).rejects.toMatchObject({
    code: "deployment.phase",
    message: expect.stringContaining(`does not serve in b: ${versionOf(3)} does`),
  });
});
