import { lstat, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  detectFile,
  detectionLines,
  type ParsedFile,
  parseSlipwayYaml,
  readRepository,
  undetectedLines,
} from "@slipway/pipeline";
import type { BuildOutcome, BuildWorld } from "./build-world.ts";
import type { BuildState } from "./domain/state.ts";
import { buildFolders } from "./folders.ts";
import { readTopFile } from "./git.ts";

const largestFile = 1_048_576;
const fileName = "slipway.yaml";

/** The pipeline of a build that is checked out here, from the commit or as it was detected; undefined where there is neither. */
export async function readSlipwayFile(world: BuildWorld, state: BuildState): Promise<ParsedFile | undefined> {
  const folders = buildFolders(world.dataDir, state.buildId);
  const text =
    (await readTopFile(folders.source, fileName, largestFile)) ??
    (await readTopFile(dirname(folders.detected), fileName, largestFile));
  return text === undefined ? undefined : parseSlipwayYaml(text, state.service);
}

/** Whether the commit says itself how it is built. */
export async function pipelineOrigin(world: BuildWorld, state: BuildState): Promise<"slipway.yaml" | "detected"> {
  return (await exists(join(buildFolders(world.dataDir, state.buildId).source, fileName)))
    ? "slipway.yaml"
    : "detected";
}

export type Settled =
  | { readonly kind: "settled"; readonly lines: readonly string[] }
  | { readonly kind: "refused"; readonly reason: string; readonly lines: readonly string[] };

/**
 * After a checkout: a commit without slipway.yaml gets the one that detection writes, kept beside its files so that every later effect reads the
 * same. Answers what was detected and why, or what would make the commit one that can be built.
 */
export async function settlePipeline(world: BuildWorld, state: BuildState): Promise<Settled> {
  const { source, detected } = buildFolders(world.dataDir, state.buildId);
  if (await exists(join(source, fileName))) return { kind: "settled", lines: [] };
  if (await exists(join(source, "slipway.yml"))) {
    return { kind: "refused", reason: "the commit has a slipway.yml: its name has to be slipway.yaml", lines: [] };
  }
  const found = detectFile(await readRepository(source), state.service, {
    buildsDockerfiles: world.executor.builder !== undefined,
  });
  if (found.kind === "undetected") {
    const reason = `the commit has no slipway.yaml, and no pipeline could be detected: ${found.problem}`;
    return { kind: "refused", reason, lines: undetectedLines(found).slice(1) };
  }
  await mkdir(dirname(detected), { recursive: true });
  await writeFile(detected, found.text);
  const head = "there is no slipway.yaml, so the pipeline was detected (slipway init writes it down, to be changed):";
  return { kind: "settled", lines: [head, ...detectionLines(found).map((line) => `  ${line}`)] };
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

export function workspaceLost(): BuildOutcome {
  return { kind: "fact", fact: (at) => ({ type: "workspace_lost", at }) };
}
