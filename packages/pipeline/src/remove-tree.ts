import { chmod, lstat, opendir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Removes a tree that a step has made, also one with folders that may not be written to: package managers leave such ones (Go's module
 * cache), and only root may empty them as they are.
 */
export async function removeTree(path: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 3 };
  try {
    await rm(path, options);
  } catch (error) {
    if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await makeWritable(path);
    await rm(path, options);
  }
}

async function makeWritable(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined))?.isDirectory() !== true) return;
  await chmod(path, 0o700);
  for await (const entry of await opendir(path)) if (entry.isDirectory()) await makeWritable(join(path, entry.name));
}
