import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of all files below a folder. Links count nothing and are not followed. */
export async function treeBytes(folder: string): Promise<number> {
  let bytes = 0;
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await treeBytes(path);
    else if (entry.isFile()) bytes += (await lstat(path)).size;
  }
  return bytes;
}
