import { type ParsedFile, parseSlipwayYaml } from "@slipway/pipeline";
import type { BuildOutcome, BuildWorld } from "./build-world.ts";
import type { BuildState } from "./domain/state.ts";
import { buildFolders } from "./folders.ts";
import { readTopFile } from "./git.ts";

const largestFile = 1_048_576;

/** slipway.yaml of a build that is checked out here; undefined where there is none. */
export async function readSlipwayFile(world: BuildWorld, state: BuildState): Promise<ParsedFile | undefined> {
  const folders = buildFolders(world.dataDir, state.buildId);
  const text = await readTopFile(folders.source, "slipway.yaml", largestFile);
  return text === undefined ? undefined : parseSlipwayYaml(text, state.service);
}

export function workspaceLost(): BuildOutcome {
  return { kind: "fact", fact: (at) => ({ type: "workspace_lost", at }) };
}
