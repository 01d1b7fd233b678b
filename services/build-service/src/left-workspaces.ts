import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Durable } from "@slipway/durable";
import type { BuildId } from "@slipway/kernel";
import type { BuildMachine } from "./build-world.ts";
import { terminalPhases } from "./domain/decide.ts";
import { buildFolders } from "./folders.ts";

/**
 * Removes workspaces of this machine that no build needs any more: of builds that ended elsewhere, or that the database does not know. Each ended build
 * cleans up after itself; this is for what a crash or a move left. Answers the builds whose folders went. `untouchedMs`: not before nothing
 * changed in the folder for so long.
 */
export async function removeLeftWorkspaces(
  ports: { readonly dataDir: string; readonly durable: Durable; readonly machine: BuildMachine },
  untouchedMs: number,
): Promise<readonly string[]> {
  const parent = join(ports.dataDir, "builds");
  const names = (await readdir(parent).catch(() => [])).filter((name) => /^B-[1-9]\d*$/.test(name));
  const removed: string[] = [];
  for (const name of names) {
    const id = name as BuildId;
    const folder = buildFolders(ports.dataDir, id).all;
    const found = await stat(folder).catch(() => undefined);
    if (found === undefined || Date.now() - found.mtimeMs < untouchedMs) continue;
    const row = await ports.durable.read(ports.machine, id);
    if (row !== undefined && !(terminalPhases as readonly string[]).includes(row.state.phase)) continue;
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    removed.push(name);
  }
  return removed;
}
