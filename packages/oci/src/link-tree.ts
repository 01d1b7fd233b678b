import { link, lstat, mkdir, readdir, readlink, symlink } from "node:fs/promises";
import { join } from "node:path";

/** Makes `to` (an empty folder) look like `from`: folders and links anew, files as hard links to the same bytes. */
export async function linkTree(from: string, to: string): Promise<void> {
  for (const child of await readdir(from, { withFileTypes: true })) {
    const source = join(from, child.name);
    const target = join(to, child.name);
    if (child.isDirectory()) {
      await mkdir(target, { mode: (await lstat(source)).mode & 0o1777 });
      await linkTree(source, target);
    } else if (child.isSymbolicLink()) {
      await symlink(await readlink(source), target);
    } else {
      await link(source, target);
    }
  }
}
