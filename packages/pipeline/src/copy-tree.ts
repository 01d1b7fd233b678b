import { constants } from "node:fs";
import { chmod, copyFile, lstat, mkdir, opendir, readlink, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "./remove-tree.ts";

/**
 * Copies a tree over another one without ever following a link: what a step left behind is not trusted, and the platform
 * may be root. A thing of another kind in the way is replaced. Devices, sockets and pipes are left out.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  const source = await lstat(from);
  if (source.isDirectory()) return copyFolder(from, to);
  await clearWay(to, "file");
  if (source.isSymbolicLink()) return symlink(await readlink(from), to);
  if (!source.isFile()) return;
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  // Only the executable bit is a file's own; the rest is umask, which differs between machines.
  await chmod(to, (source.mode & 0o100) === 0 ? 0o644 : 0o755);
}

async function copyFolder(from: string, to: string): Promise<void> {
  await clearWay(to, "folder");
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for await (const entry of await opendir(from)) await copyTree(join(from, entry.name), join(to, entry.name));
}

async function clearWay(path: string, wanted: "file" | "folder"): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || (wanted === "folder" && found.isDirectory())) return;
  await rm(path, { recursive: true, force: true });
}

/** Empties a folder and lays trees over each other in it. */
export async function freshFolder(path: string, inputs: readonly string[]): Promise<string> {
  await removeTree(path);
  await mkdir(path, { recursive: true });
  for (const input of inputs) await copyTree(input, path);
  return path;
}
