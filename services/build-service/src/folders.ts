import { join } from "node:path";
import type { BuildId } from "@slipway/kernel";

/** Where a build keeps its files until it has ended. Everything can be made again from the commit. */
export type BuildFolders = {
  readonly all: string;
  readonly git: string;
  /** The commit's files, as checked out. */
  readonly source: string;
  /** A random text that is made with each checkout, so that what began on an earlier one is not taken for this one's. */
  readonly mark: string;
  /** How a step of this checkout has ended; with it, the step is not run again. */
  ended(name: string): string;
  /** The workspace of a step, which is its result once it has succeeded. */
  step(name: string): string;
  /** The home of a step while it runs. */
  home(name: string): string;
  readonly image: string;
  /** The pipeline that was detected for a commit without slipway.yaml. */
  readonly detected: string;
};

export function buildFolders(dataDir: string, buildId: BuildId): BuildFolders {
  const all = join(dataDir, "builds", buildId);
  return {
    all,
    git: join(all, "git"),
    source: join(all, "source"),
    mark: join(all, "mark"),
    ended: (name) => join(all, "ended", `${name}.json`),
    step: (name) => join(all, "steps", name),
    home: (name) => join(all, "homes", name),
    image: join(all, "image"),
    detected: join(all, "detected", "slipway.yaml"),
  };
}
