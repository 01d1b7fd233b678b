import { chosenScenes, putScene, type Scene, testDatabase, until } from "@slipway/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { type Deployment, type Phase, terminalPhases } from "../src/domain/deployment.ts";
import { statusView, waitingOf } from "../src/domain/view.ts";
import { type Orchestrator, startOrchestrator } from "./support/orchestrator.ts";
import {
  deploymentPhases,
  deploymentScenes,
  deploymentsOf,
  pushPhases,
  pushScenes,
  regionsAfter,
  watchesAfter,
} from "./support/released.ts";

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close();
});

/** The program of today over what that version left. */
async function goOnFrom(scene: Scene): Promise<Orchestrator> {
  const database = await testDatabase(["deployment", "bus"]);
  running.push(database);
  await putScene(database.adminUrl, "deployment", scene);
  const deployments = deploymentsOf(scene);
  const orchestrator = await startOrchestrator({
    ...{ database, clusters: regionsAfter(deployments), armed: watchesAfter(deployments) },
  });
  running.push(orchestrator);
  return orchestrator;
}

/** One whose place a newer version has taken is done with, too. */
const isOver = (state: Deployment) =>
  (terminalPhases as readonly Phase[]).includes(state.phase) ||
  (state.phase === "watching" && state.replacedBy !== null);
const standing: readonly Phase[] = ["queued", "awaiting_approval", "held", "watching"];
/** Until somebody comes, or for longer than a test waits. */
const stands = (state: Deployment) =>
  standing.includes(state.phase) || (state.phase === "baking" && Date.parse(state.until) > Date.now() + 60_000);

describe("a deployment that an earlier version left", () => {
  test("is kept of every phase", () => {
    expect(deploymentPhases.filter((phase) => !deploymentScenes.some((scene) => scene.phase === phase))).toEqual([]);
    expect(pushPhases.filter((phase) => !pushScenes.some((scene) => scene.phase === phase))).toEqual([]);
  });

  test.each(
    chosenScenes(deploymentScenes).map(
      (scene) => [scene.version, scene.phase, scene.commands.join(", ") || "nothing", scene] as const,
    ),
  )(
    "%s, %s with %s to be done, comes to its end or says what it waits for, and can be taken back",
    async (_version, _phase, _commands, scene) => {
      const orchestrator = await goOnFrom(scene);
      const { id } = scene;

      const reaches = (isThere: (state: Deployment) => boolean) =>
        until(async () => ((found) => (isThere(found) ? found : undefined))(await orchestrator.state(id)), {
          what: `${id} to come to an end`,
        }).catch(async (cause: unknown) => {
          const found = [await orchestrator.state(id), await orchestrator.pending(id)];
          throw new Error(JSON.stringify(found, null, 1), { cause });
        });
      const came = await reaches((state) => stands(state) || isOver(state));
      expect(statusView(came, null, new Date().toISOString() as never).status).toBeDefined();
      if (!isOver(came) && came.phase !== "watching") expect(waitingOf(came)?.unblockedBy).toBeDefined();

      if (isOver(came)) return;
      await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "enough", now }));
      const ended = await reaches(isOver);
      await until(async () => (await orchestrator.pending(id)).length === 0, { what: "all of it to be done" });
      for (const cluster of orchestrator.clusters) {
        expect(cluster.violations).toEqual([]);
        if (ended.phase === "rolled_back") expect(cluster.weights[ended.plan.version] ?? 0).toBe(0);
      }
    },
  );
});
