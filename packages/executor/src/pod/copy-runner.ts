import { chmod, copyFile, mkdir, realpath, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { librariesOf } from "@slipway/oci";

/**
 * Lays this program, its Node and what that is linked to into a folder of a pod whose image may have another C library, an older one, or none. The image
 * needs a /bin/sh and nothing else. `program`: the one file that this is.
 */
export async function copyRunner(folder: string, program: string): Promise<void> {
  const [bin, lib] = [join(folder, "bin"), join(folder, "lib")];
  await mkdir(bin, { recursive: true });
  await mkdir(lib, { recursive: true });
  const libraries = await librariesOf([process.execPath]);
  for (const path of libraries) await copyFile(await realpath(path), join(lib, basename(path)));
  const loader = libraries.map((path) => basename(path)).find((name) => /^ld[-.]/.test(name));
  const prefix = loader === undefined ? "" : `${lib}/${loader} --library-path ${lib} `;
  if (loader !== undefined) await chmod(join(lib, loader), 0o755);
  await copyFile(process.execPath, join(bin, "node"));
  await chmod(join(bin, "node"), 0o755);
  await copyFile(program, join(folder, "step-runner.mjs"));
  const start = `#!/bin/sh\nexec ${prefix}${bin}/node ${folder}/step-runner.mjs "$@"\n`;
  await writeFile(join(bin, "slipway-step-runner"), start, { mode: 0o755 });
}
