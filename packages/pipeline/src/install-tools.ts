import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { copyTree } from "./copy-tree.ts";
import type { Tools } from "./step-command.ts";

export type ToolsRequest = {
  /** Folder with `scan/`, `static-server/` and `advisories/`; looked for from `near` upwards when absent. */
  readonly configured: string | undefined;
  /** A folder inside the checkout, or inside what was bundled there. */
  readonly near: string;
  /** Gets copies with modes that let a build's uid read them. */
  readonly into: string;
};

/** Finds the tools that steps use and copies them. Throws where there are none. */
export async function installTools({ configured, near, into }: ToolsRequest): Promise<Tools> {
  const from = configured === undefined ? findTools(near) : resolve(configured);
  const main = ["main.ts", "main.js"].find((name) => existsSync(join(from, "scan", name)));
  if (main === undefined) throw new Error(`no tools for build steps in ${from}: set SLIPWAY_BUILD_TOOLS`);
  const advisories = [join(from, "advisories"), join(from, "..", "advisories")].find((path) => existsSync(path));
  if (advisories === undefined) throw new Error(`no advisories beside ${from}: set SLIPWAY_BUILD_TOOLS`);
  const staticServer = [join(from, "static-server"), join(from, "..", "static-server")].find((path) =>
    existsSync(path),
  );
  if (staticServer === undefined) throw new Error(`no static-server beside ${from}: set SLIPWAY_BUILD_TOOLS`);
  await mkdir(into, { recursive: true });
  await copyTree(join(from, "scan"), join(into, "scan"));
  await copyTree(advisories, join(into, "advisories"));
  await copyTree(staticServer, join(into, "static-server"));
  const installed = { scan: join(into, "scan"), advisories: join(into, "advisories") };
  return { ...installed, staticServer: join(into, "static-server"), scanMain: main };
}

function findTools(near: string): string {
  if (existsSync(join(near, "scan"))) return near;
  for (let folder = near; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "services", "build-service", "src");
    if (existsSync(join(candidate, "scan"))) return candidate;
  }
  return near;
}
