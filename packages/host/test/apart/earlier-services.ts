import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, realpath, rm, symlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../../../..");
/** What is bundled, and what that reads. */
const bundled = [
  "package.json",
  "tsconfig.base.json",
  "scripts",
  "packages",
  "services",
  "apps/cli",
  "deploy/docker",
  "migrations",
];

/** The commit of which `test/released/0.1.0` of each service was recorded: before its states, or those of today, had changed. */
export const earlierCommit = "f7811a9";

/** Why that commit's program cannot be made here; undefined where it can. A checkout without history (a shallow clone, an archive) has only its own. */
export async function whyNoEarlier(): Promise<string | undefined> {
  const git = run("git", ["cat-file", "-e", `${earlierCommit}^{commit}`], { cwd: root });
  return await git.then(
    () => undefined,
    () => `the commit ${earlierCommit} is not in this checkout: git fetch --unshallow`,
  );
}

/** The six services as that commit has them, with the libraries of today. Answers its `service.mjs`. */
export async function earlierServices(): Promise<string> {
  // Ignored by git, and libraries are found from there.
  const place = join(root, `apps/standalone/node_modules/.earlier-${process.env.VITEST_POOL_ID ?? 0}`);
  // Within its tree: a program finds the migrations that stand above it.
  const tree = join(place, "tree");
  const folder = join(tree, "dist");
  await rm(place, { recursive: true, force: true });
  await mkdir(tree, { recursive: true });
  const archive = join(place, "tree.tar");
  await run("git", ["archive", "--output", archive, earlierCommit, ...bundled], { cwd: root });
  await run("tar", ["-xf", archive, "-C", tree]);
  await symlink(join(root, "node_modules"), join(tree, "node_modules"));
  const packages = ["apps/cli", ...(await within("packages")), ...(await within("services"))];
  for (const path of packages) await linkLibraries(path, tree);
  for (const path of packages) await linkMoved(path, tree, packages);
  await run(process.execPath, [join(tree, "scripts/bundle.mjs"), "--services", folder], { cwd: tree });
  return join(folder, "service.mjs");
}

async function within(folder: string): Promise<readonly string[]> {
  return (await readdir(join(root, folder))).map((name) => `${folder}/${name}`);
}

/** Links of the workspace are relative: in that tree they lead to its own packages. */
async function linkLibraries(path: string, tree: string): Promise<void> {
  const from = join(root, path, "node_modules");
  const to = join(tree, path, "node_modules");
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !/\/\.(?!bin)/.test(source.slice(from.length)),
  }).catch((error: NodeJS.ErrnoException) => {
    // A package that needs nothing, or that was not there then.
    if (error.code !== "ENOENT") throw error;
  });
}

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()).default({}) });

/** What was a package's library then, and is another one's today. */
async function linkMoved(path: string, tree: string, packages: readonly string[]): Promise<void> {
  const text = await readFile(join(tree, path, "package.json"), "utf8").catch(() => "{}");
  for (const library of Object.keys(Manifest.parse(JSON.parse(text)).dependencies)) {
    const place = join(tree, path, "node_modules", library);
    if (existsSync(place)) continue;
    const found = packages
      .map((other) => join(root, other, "node_modules", library))
      .find((other) => existsSync(other));
    if (found === undefined)
      throw new Error(`${library}, which ${path} needs at ${earlierCommit}, is nobody's library today`);
    await mkdir(dirname(place), { recursive: true });
    await symlink(await realpath(found), place);
  }
}
