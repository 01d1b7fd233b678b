import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * The place of a path below a folder whose content nobody vouches for: undefined where a part of it is a link or a file, which could lead a
 * platform that is root anywhere. With `make`, missing folders above the last part are made.
 */
export async function realPlace(folder: string, path: string, make = false): Promise<string | undefined> {
  const parts = path.split("/");
  let at = folder;
  for (const part of parts.slice(0, -1)) {
    at = join(at, part);
    const found = await lstat(at).catch(() => undefined);
    if (found === undefined && make) await mkdir(at);
    else if (found?.isDirectory() !== true) return undefined;
  }
  return join(at, parts.at(-1) ?? "");
}
