import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { librariesOf } from "@slipway/oci";

const programs = ["cat", "env", "id", "ls", "mkdir", "sh", "touch"];

/**
 * The file system of a small image, made of this machine's programs: a shell, a few tools and those asked for, and what an image has in /etc. A program
 * with a path is brought from there.
 */
export async function makeSmallRoot(root: string, more: readonly string[] = []): Promise<void> {
  const names = [...programs, ...more.map((path) => basename(path))];
  const found = [...programs, ...more].map(
    (name) => [name, `/usr/bin/${name}`, `/bin/${name}`].find((path) => path.startsWith("/") && existsSync(path)) ?? "",
  );
  const libraries = await librariesOf(found);
  const copies = [
    ...found.map((path, index) => [path, `/usr/bin/${names[index]}`]),
    ...libraries.map((path) => [path, path]),
  ];
  for (const [from = "", to = ""] of copies) {
    await mkdir(dirname(join(root, to)), { recursive: true });
    await copyFile(await realpath(from), join(root, to));
    await chmod(join(root, to), 0o755);
  }
  await symlink("usr/bin", join(root, "bin"));
  for (const folder of ["etc/app", "opt/tool", "home/node", "tmp", "workspace"])
    await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, "etc/app/release"), "a small image\n");
  await writeFile(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n");
  await writeFile(join(root, "opt/tool/data"), "of the image\n");
}
