import { chosenScenes, putScene, type Scene, scenesOf } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BuildState, Phase } from "../src/domain/state.ts";
import { testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

const kept = await scenesOf(new URL("released", import.meta.url).pathname, "build");
/** Each under a number of its own, so that one process goes on with all of them. */
const scenes = chosenScenes(kept).map((scene, i) => renumbered(scene, 100 * (i + 1)));
const phases = Object.keys({
  ...{ queued: 0, checking_out: 0, running: 0, imaging: 0, registering: 0, succeeded: 0, failed: 0, cancelled: 0 },
} satisfies Record<Phase, 0>);

let platform: Platform;
beforeAll(async () => {
  platform = await startBuildService();
  for (const scene of scenes) await putWithRepository(scene, platform);
});
afterAll(() => platform.close());

test("a build that an earlier version left is kept of every phase", () => {
  expect(phases.filter((phase) => !scenes.some((scene) => scene.phase === phase))).toEqual([]);
});

test.each(scenes.map((scene) => [scene.version, scene.phase, scene.commands.join(", "), scene] as const))(
  "%s, %s with %s to be done, comes to its end on a disk where nothing of it is",
  async (_version, phase, _commands, { id }) => {
    const build = await platform.ended(id);

    const end = ["failed", "cancelled"].includes(phase) ? phase : "succeeded";
    expect(build.status, await platform.log(id)).toBe(end.toUpperCase());
  },
);

function renumbered<S extends Scene>(scene: S, more: number): S {
  const tables = Object.entries(scene.tables)
    .filter(([table]) => table !== "delivery")
    .map(([table, rows]) => [table, rows.filter((row) => table === "repository" || isOf(row, scene.id))]);
  const text = JSON.stringify({ ...scene, tables: Object.fromEntries(tables) });
  const number = (found: string) => String(Number(found) + more);
  return JSON.parse(
    text
      .replaceAll(/"B-(\d+)"/g, (_, n) => `"B-${number(n)}"`)
      .replaceAll(/"number":(\d+)/g, (_, n) => `"number":${number(n)}`),
  ) as S;
}

function isOf(row: Readonly<Record<string, unknown>>, id: string): boolean {
  return row.id === id || row.build_id === id;
}

/** The commit that it was of is in a repository of another place now. */
async function putWithRepository(scene: Scene, { database, folder }: Platform): Promise<void> {
  const [{ state }] = scene.tables.machine as unknown as readonly [{ state: BuildState }];
  const { service, gitSha } = state;
  const repository = await testRepository(folder, service, false);
  const sha = await repository.commit({
    "slipway.yaml": `version: 1\nservice: ${service}\npipeline:\n  compile: { run: mkdir out && echo 1 > out/main.js }\nimage: { copy: [out], command: [node, out/main.js] }\n`,
  });
  const here = JSON.stringify(scene)
    .replaceAll(gitSha, sha)
    .replaceAll(/file:\/\/[^"]+/g, repository.url)
    .replaceAll(/"match_key":"[^"]+"/g, `"match_key":"${service}"`);
  await putScene(database.adminUrl, "build", JSON.parse(here) as Scene);
}
