import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildId } from "@slipway/kernel";
import { copyTree } from "./copy-tree.ts";

/** Where a build keeps its files until it has ended. Everything can be made again from the commit. */
export type BuildFolders = {
  readonly all: string;
  readonly git: string;
  /** The commit's files, as checked out. */
  readonly source: string;
  /** The workspace of a step, which is its result once it has succeeded. */
  step(name: string): string;
  readonly image: string;
};

export function buildFolders(dataDir: string, buildId: BuildId): BuildFolders {
  const all = join(dataDir, "builds", buildId);
  return {
    all,
    git: join(all, "git"),
    source: join(all, "source"),
    step: (name) => join(all, "steps", name),
    image: join(all, "image"),
  };
}

/** Tools of the platform that steps use, on this machine. */
export type Tools = { readonly scan: string; readonly advisories: string; readonly scanMain: string };

/**
 * Finds the tools beside the sources (or, in a bundle, in a checkout above it) and copies them to the data folder with modes
 * that let a build's uid read them. Throws where there are none.
 */
export async function installTools(dataDir: string, configured: string | undefined): Promise<Tools> {
  const from = configured === undefined ? findTools() : resolve(configured);
  const main = ["main.ts", "main.js"].find((name) => existsSync(join(from, "scan", name)));
  if (main === undefined) throw new Error(`no tools for build steps in ${from}: set SLIPWAY_BUILD_TOOLS`);
  const advisories = [join(from, "advisories"), join(from, "..", "advisories")].find((path) => existsSync(path));
  if (advisories === undefined) throw new Error(`no advisories beside ${from}: set SLIPWAY_BUILD_TOOLS`);
  const into = join(dataDir, "tools");
  await mkdir(into, { recursive: true });
  await copyTree(join(from, "scan"), join(into, "scan"));
  await copyTree(advisories, join(into, "advisories"));
  return { scan: join(into, "scan"), advisories: join(into, "advisories"), scanMain: main };
}

function findTools(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  if (existsSync(join(here, "scan"))) return here;
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "services", "build-service", "src");
    if (existsSync(join(candidate, "scan"))) return candidate;
  }
  return here;
}
