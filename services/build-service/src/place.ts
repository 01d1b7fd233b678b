import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The name of the disk that holds the workspaces of this data folder, made with the first of them: a process that starts again on the same disk goes on
 * with its builds, and one on another disk leaves them alone while somebody is there.
 */
export async function placeOf(dataDir: string): Promise<string> {
  const folder = join(dataDir, "builds");
  const file = join(folder, "place");
  await mkdir(folder, { recursive: true });
  // Two that start together have the name that was there first.
  await writeFile(file, randomUUID(), { flag: "wx", mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  return (await readFile(file, "utf8")).trim();
}
