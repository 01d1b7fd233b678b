import { chmod, copyFile, mkdir, readdir, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Lays this program, its Node and what that is linked to into a folder of a pod whose image may have another C library, an older one, or none. The image
 * needs a /bin/sh and nothing else. `program`: the one file that this is.
 */
export async function copyRunner(folder: string, program: string): Promise<void> {
  const [bin, lib] = [join(folder, "bin"), join(folder, "lib")];
  await mkdir(bin, { recursive: true });
  await mkdir(lib, { recursive: true });
  const libraries = await loadedLibraries();
  for (const path of libraries) await copyLibrary(path, lib);
  const loader = libraries.map((path) => basename(path)).find((name) => /^ld[-.]/.test(name));
  const prefix = loader === undefined ? "" : `${lib}/${loader} --library-path ${lib} `;
  await copyExecutable(process.execPath, join(bin, "node"));
  await copyFile(program, join(folder, "step-runner.mjs"));
  const start = `#!/bin/sh\nexec ${prefix}${bin}/node ${folder}/step-runner.mjs "$@"\n`;
  await writeFile(join(bin, "slipway-step-runner"), start, { mode: 0o755 });
}

/** What this very process was linked to and by which loader: no tool has to be asked. */
async function loadedLibraries(): Promise<readonly string[]> {
  const maps = await readFile("/proc/self/maps", "utf8");
  const paths = maps.split("\n").map((line) => line.slice(line.indexOf("/")));
  return [...new Set(paths.filter((path) => /\/[^/]+\.so[^/]*$/.test(path)))];
}

/** Under its own name and those by which it is asked for, which are links beside it. */
async function copyLibrary(path: string, into: string): Promise<void> {
  const own = basename(path);
  await copyExecutable(path, join(into, own));
  for (const name of await readdir(dirname(path))) {
    if (name === own || !name.includes(".so")) continue;
    const target = await realpath(join(dirname(path), name)).catch(() => undefined);
    if (target === path) await symlink(own, join(into, name));
  }
}

async function copyExecutable(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, 0o755);
}
