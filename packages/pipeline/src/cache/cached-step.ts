import { mkdir } from "node:fs/promises";
import { freshFolder } from "../copy-tree.ts";
import { removeTree } from "../remove-tree.ts";
import type { StepMachine, StepRun } from "../step-run.ts";
import { cacheKey } from "./cache-key.ts";

/** A step whose kept folders are in place. */
export type CachedStep = {
  readonly usesHome: boolean;
  /** To be called once the step has succeeded. */
  keep(): Promise<void>;
};

/** Brings what a step has kept to its workspace and its home; undefined for a step that keeps nothing. `tools` is part of the key. */
export async function cachedStep(
  { caches }: Pick<StepMachine, "caches">,
  run: StepRun,
  tools: string,
): Promise<CachedStep | undefined> {
  const { cache } = run.step;
  if (cache?.paths === undefined) return undefined;
  const { service, workspace, home, note } = run;
  const { paths } = cache;
  const usesHome = paths.some((path) => path.startsWith("~/"));
  const places = { workspace, home };
  await removeTree(home);
  await mkdir(home, { recursive: true, mode: 0o755 });
  const use = { service, step: run.name, run: run.step.run ?? "", env: run.step.env, tools, paths };
  const found = await cacheKey(use, cache.key, workspace);
  if (found.kind === "missing") {
    note(`cache: off, ${found.path} is not a file of the workspace`);
    return { usesHome, keep: async () => undefined };
  }
  const restored = await caches.restore(service, found.key, paths, places);
  const by = cache.key.join(", ");
  if (restored.kind === "restored") {
    note(`cache: restored ${mebibytes(restored.bytes)} by ${by}`);
    return { usesHome, keep: async () => undefined };
  }
  if (restored.kind === "broken") {
    note(`cache: not restored: ${restored.reason}`);
    await caches.drop(service, found.key);
    await freshFolder(workspace, run.inputs);
    await freshFolder(home, []);
  } else note("cache: none yet");
  return {
    usesHome,
    keep: async () => {
      const kept = await caches.keep(service, found.key, paths, places);
      note(kept.kind === "kept" ? `cache: kept ${mebibytes(kept.bytes)} by ${by}` : `cache: not kept: ${kept.reason}`);
    },
  };
}

export function mebibytes(bytes: number): string {
  return `${bytes < 10_485_760 ? (bytes / 1_048_576).toFixed(1) : Math.round(bytes / 1_048_576)} MiB`;
}
