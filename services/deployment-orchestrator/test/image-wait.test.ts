import { type CommandContext, createDurable } from "@slipway/durable";
import { systemClock, unreachable } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Command } from "../src/domain/command.ts";
import type { Deployment, In } from "../src/domain/deployment.ts";
import { waitingOf } from "../src/domain/view.ts";
import { waitingOfAccepted } from "../src/reasons.ts";
import { rollBackVerified } from "../src/rollback.ts";
import { type Orchestrator, startOrchestrator } from "./support/orchestrator.ts";
import { samplePlan, start } from "./support/sample.ts";

const { image } = samplePlan().workload;
const copying = { image, host: "registry", status: "COPYING" as const, waiting: null, seen_at: null, ended_at: null };
/** Found there now. */
const published = () => ({ ...copying, status: "PUBLISHED" as const, seen_at: systemClock.now() });
const waiting = { for: "registry refuses user and password (401): correct them", since: "", unblockedBy: "" };

let orchestrator: Orchestrator;
beforeEach(async () => {
  orchestrator = await startOrchestrator();
});
afterEach(async () => {
  for (const { violations } of orchestrator.clusters) expect(violations).toEqual([]);
  await orchestrator.close();
});

/** What is shown of a deployment that waits. */
async function shown(id: string): Promise<string> {
  const state = await orchestrator.state(id);
  const { createdAt } = state.plan;
  const pending = await orchestrator.pending(id);
  return waitingOfAccepted({ phase: state.phase, waiting: waitingOf(state), createdAt }, pending)?.for ?? "nothing";
}

const reachesText = (id: string, text: string) =>
  until(async () => (await shown(id)).includes(text), { what: `${id} to say ${text}` });

test("a deployment whose image is still being copied waits before its lock, says why, and goes on once it is there", async () => {
  orchestrator.images.publication = { ...copying, waiting };
  const id = await orchestrator.deploy({}, true);
  await reachesText(
    id,
    "its image, which is being copied to registry (registry refuses user and password (401): correct",
  );
  // Nobody waits for one that has no lock.
  const other = await orchestrator.deploy();
  await orchestrator.reaches(other, "watching");
  expect((await orchestrator.state(id)).phase).toBe("accepted");

  orchestrator.images.publication = published();

  await orchestrator.reaches(id, "watching");
  expect(orchestrator.images.asked).toBe(0);
});

test("a copy that fails ends the deployment with the reason and what to do, before anything has moved", async () => {
  const before = orchestrator.clusters.map(({ weights }) => weights);
  const reason = "registry/orders:1 is another image there: remove that tag there";
  orchestrator.images.publication = { ...copying, waiting: null };
  const id = await orchestrator.deploy({}, true);
  await reachesText(id, "its image, which is being copied to registry");

  orchestrator.images.publication = { ...copying, status: "FAILED", reason, ended_at: "2099-01-01T00:00:00Z" as never };

  const failed = await orchestrator.reaches(id, "failed");
  expect(failed).toMatchObject({
    reason: `its image was not copied to registry: ${reason}; then deploy it again`,
    hadWeight: false,
  });
  expect(orchestrator.clusters.map(({ weights }) => weights)).toEqual(before);
});

test("a copy that had failed before, was never begun, or was last seen long ago is asked for", async () => {
  const ended_at = "2020-01-01T00:00:00Z" as never;
  orchestrator.images.publication = { ...copying, status: "FAILED", reason: "it was full", ended_at };
  const id = await orchestrator.deploy({}, true);
  await until(() => orchestrator.images.asked > 0, { what: "the copy to be asked for" });
  expect((await orchestrator.state(id)).phase).toBe("accepted");

  for (const other of [
    { ...copying, status: "NOT_PUBLISHED" as const },
    { ...copying, status: "PUBLISHED" as const, seen_at: "2020-01-01T00:00:00Z" as never },
  ]) {
    orchestrator.images.publication = other;
    const before = orchestrator.images.asked;
    await until(() => orchestrator.images.asked > before, { what: "the copy to be asked for again" });
  }
  orchestrator.images.publication = published();

  await orchestrator.reaches(id, "watching");
});

test("where images are published elsewhere by now it has failed, and says so", async () => {
  orchestrator.images.publication = { ...copying, image: "elsewhere/orders@sha256:1" };

  const failed = await orchestrator.reaches(await orchestrator.deploy({ createdAt: start }, true), "failed");

  expect(failed).toMatchObject({ reason: expect.stringMatching(/published elsewhere now .*: deploy it again$/) });
});

test("a process of the artifact-registry that does not know yet where images are published ends nothing that is young", async () => {
  orchestrator.images.publication = null;
  const id = await orchestrator.deploy({ createdAt: systemClock.now() }, true);
  await reachesText(id, "images are published elsewhere now");

  orchestrator.images.publication = published();

  await orchestrator.reaches(id, "watching");
});

test("while the artifact-registry is away it waits; taken back it is cancelled", async () => {
  orchestrator.images.publication = undefined;
  const id = await orchestrator.deploy({}, true);
  await reachesText(id, "the artifact-registry is away");

  await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "not today", now }));

  await orchestrator.reaches(id, "cancelled");
  await until(async () => (await orchestrator.pending(id)).length === 0, { what: "all of it to be done" });
});

test("the way back to a version that was deployed before asks nobody where its image is, and keeps its name", async () => {
  orchestrator.images.publication = published();
  const quickly = { verifyAfterMs: 50 };
  const first = await orchestrator.deploy(quickly, true);
  await orchestrator.reaches(first, "verified");
  const second = await orchestrator.deploy(quickly, true);
  const verified = (await orchestrator.reaches(second, "verified")) as In<"verified">;
  orchestrator.images.publication = undefined;

  const principal = { name: "ada", roles: ["deployer"] as const };
  const back = await rollBackVerified(
    orchestrator.service,
    verified,
    { principal, reason: "it smells" },
    verified.at,
    undefined,
  );

  await orchestrator.reaches(back.plan.id, "watching", "verified");
  expect(back.plan.workload.image).toBe(image);
});

test("a process of a version that does not know the wait leaves it to one that does, and asks for no lock meanwhile", async () => {
  let tried = 0;
  const { machine } = orchestrator.service;
  const older = createDurable({
    ...{ db: orchestrator.db, url: orchestrator.url, log: silentLogger },
    machines: [
      {
        ...machine,
        async perform(command: Command, ctx: CommandContext<Deployment>) {
          if (command.type !== "AwaitImage") return machine.perform(command, ctx);
          tried += 1;
          return unreachable(command as never);
        },
      } as typeof machine,
    ],
  });
  await older.start();
  orchestrator.images.publication = { ...copying, waiting };
  const id = await orchestrator.deploy({}, true);
  await until(() => tried > 0, { what: "the older process to have tried" });
  expect((await orchestrator.state(id)).phase).toBe("accepted");

  orchestrator.images.publication = published();

  await orchestrator.reaches(id, "watching");
  await older.stop();
});
