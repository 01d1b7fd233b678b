import { execFile } from "node:child_process";
import { lstat, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { copyTree } from "@slipway/pipeline";

const neverCopied = [".git", ".slipway", "node_modules"];

/** Copies what a commit of the working tree would hold now: with what is not committed yet, without what git ignores. */
export async function copyWorkingTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const path of (await gitFiles(from)) ?? (await topLevel(from))) {
    const found = await lstat(join(from, path)).catch(() => undefined);
    // Deleted and not committed yet, or a submodule, which builds do not fetch.
    if (found === undefined) continue;
    await mkdir(dirname(join(to, path)), { recursive: true });
    await copyTree(join(from, path), join(to, path));
  }
}

async function gitFiles(folder: string): Promise<readonly string[] | undefined> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = await promisify(execFile)("git", args, { cwd: folder, maxBuffer: 64 * 1_048_576 }).catch(
    () => undefined,
  );
  const files = listed?.stdout.split("\0").filter((path) => path !== "");
  return files === undefined || files.length === 0 ? undefined : [...new Set(files)];
}

async function topLevel(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => !neverCopied.includes(name));
}
