import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { BuildId } from "@slipway/kernel";
import type { PipelineStepResult } from "@slipway/pipeline";
import { z } from "zod";
import type { BuildContext, BuildWorld } from "./build-world.ts";
import type { BuildFolders } from "./folders.ts";

/** What names a build to its executor: on a machine apart from those of other data folders, elsewhere the same for every process of this service. */
export function buildIdentity(
  { dataDir, executor }: Pick<BuildWorld, "dataDir" | "executor">,
  buildId: BuildId,
): string {
  return executor.outlived ? buildId : `${dataDir} ${buildId}`;
}

/** Names a step's run on this checkout of its commit, where it may outlive this process. */
export async function runOf(
  { executor }: Pick<BuildWorld, "executor">,
  folders: BuildFolders,
  step: { readonly buildId: BuildId; readonly name: string },
): Promise<string | undefined> {
  if (!executor.outlived) return undefined;
  const mark = await readFile(folders.mark, "utf8").catch(() => "");
  return `${step.buildId} ${mark} ${step.name}`;
}

const Ended = z.object({
  outcome: z.enum(["succeeded", "failed", "timed_out", "cancelled"]),
  exitCode: z.number().nullable(),
  reason: z.string().optional(),
  image: z.string().nullable(),
});

/** How a step has ended whose process died before it could tell. Its workspace is whole. */
export async function endedBefore(folders: BuildFolders, name: string): Promise<PipelineStepResult | undefined> {
  const text = await readFile(folders.ended(name), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const { reason, ...end } = Ended.parse(JSON.parse(text));
  return reason === undefined ? end : { ...end, reason };
}

/** From here on the step counts as having ended so. */
export async function noteEnd(folders: BuildFolders, name: string, result: PipelineStepResult): Promise<void> {
  const path = folders.ended(name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, JSON.stringify(result));
  await rename(`${path}.new`, path);
}

/** What stays because it cannot be told now goes with the build's end, or by its own time. */
export async function releaseRun({ executor }: BuildWorld, runName: string, { log }: BuildContext): Promise<void> {
  await executor
    .release(runName)
    .catch((error: unknown) => log.warn({ err: error, run: runName }, "a step's run stays for now"));
}
