import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { firstFree } from "../../src/layout.ts";
import { identify } from "../../src/processes/identity.ts";
import { bundle } from "./bundle.ts";
import { portVariable } from "./platform.ts";
import { processesOf } from "./processes.ts";
import { type ToldStory, tellStory } from "./told-story.ts";

declare module "vitest" {
  export interface ProvidedContext {
    story: ToldStory;
  }
}

/** One bundle and one whole story for all files of the project; those that come after go on in its data folder, one at a time; as vitest.config.ts says it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await bundle(project.name);
  // A port of its own: platforms of other files start beside this one, and would take that of one that was killed.
  process.env[portVariable] = String(await firstFree(undefined, [7440, 7499]));
  const dataDir = await mkdtemp(join(tmpdir(), "slipway-story-"));
  await chmod(dataDir, 0o755);
  project.provide("story", await tellStory(dataDir));
  return async () => {
    // The last one has nobody to whom it could leave them.
    for (const { pid } of processesOf(dataDir)) if (identify(pid) !== undefined) process.kill(pid, "SIGKILL");
    await rm(dataDir, { recursive: true, force: true });
  };
}
