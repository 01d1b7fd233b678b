import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Builder, ExecutorStep } from "@slipway/executor";
import { checkLayout, OciError } from "@slipway/oci";
import { cacheKey } from "../cache/cache-key.ts";
import { mebibytes } from "../cache/cached-step.ts";
import type { StepMachine, StepRun } from "../step-run.ts";
import { dockerfileOf } from "./command.ts";

/** What BuildKit keeps of a Dockerfile's RUN lines, in place for the step. */
export type KeptLines = {
  readonly kept: NonNullable<ExecutorStep["kept"]>;
  /** To be called once the step has succeeded. */
  keep(): Promise<void>;
};

/**
 * Brings what was kept under the step's key to a folder below its home; undefined for a step that keeps nothing. The Dockerfile is a part of the key, as the command is of
 * another step's. BuildKit looks at each line by itself, so what is kept never makes another image: it is checked for being whole only, since BuildKit would fail.
 */
export async function keptLines(
  { caches }: Pick<StepMachine, "caches">,
  run: StepRun,
  builder: Builder,
): Promise<KeptLines | undefined> {
  const { service, name, step, workspace, home, note } = run;
  if (step.cache === undefined) return undefined;
  const { path, ...definition } = dockerfileOf(step);
  const files = [...new Set([path, ...step.cache.key])];
  const use = { service, step: name, run: `dockerfile ${JSON.stringify(definition)}`, env: {}, tools: builder.image };
  const found = await cacheKey({ ...use, paths: [] }, files, workspace);
  if (found.kind === "missing") {
    note(`cache: off, ${found.path} is not a file of the workspace`);
    return undefined;
  }
  const by = files.join(", ");
  const places = { workspace: home, home };
  await mkdir(home, { recursive: true });
  const restored = await caches.restore(service, found.key, ["in"], places);
  const trouble = restored.kind === "restored" ? await layoutTrouble(join(home, "in")) : undefined;
  if (restored.kind === "none") note("cache: none yet");
  else if (restored.kind === "broken") note(`cache: not restored: ${restored.reason}`);
  else if (trouble !== undefined) note(`cache: not restored: what is kept is broken: ${trouble}`);
  else note(`cache: restored ${mebibytes(restored.bytes)} by ${by}`);
  const usable = restored.kind === "restored" && trouble === undefined;
  return {
    kept: { from: usable ? join(home, "in") : undefined, to: join(home, "out") },
    async keep() {
      const made = await lstat(join(home, "out", "index.json")).catch(() => undefined);
      if (made === undefined) return;
      // Whatever is there was of no use to this build.
      await caches.drop(service, found.key);
      const kept = await caches.keep(service, found.key, ["out"], places);
      note(kept.kind === "kept" ? `cache: kept ${mebibytes(kept.bytes)} by ${by}` : `cache: not kept: ${kept.reason}`);
    },
  };
}

async function layoutTrouble(folder: string): Promise<string | undefined> {
  try {
    await checkLayout(folder);
    return undefined;
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return error.message;
  }
}
