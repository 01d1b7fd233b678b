import { execFile } from "node:child_process";
import { cp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const example = new URL("../../../examples/order-service", import.meta.url).pathname;

/** A repository on disk with a working tree, whose bare twin the build service fetches from. */
export type TestRepository = {
  readonly url: string;
  /** Writes files (null removes one), commits, pushes to the branch; answers the commit's id. */
  commit(files: Readonly<Record<string, string | null>>, branch?: string): Promise<string>;
  /** Makes a symbolic link in the tree, for the next commit. */
  link(path: string, target: string): Promise<void>;
  /** Points another branch at a commit. */
  branch(name: string, sha: string): Promise<void>;
};

const identity = {
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.com",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

/** `withExample`: the tree begins as examples/order-service. */
export async function testRepository(folder: string, name: string, withExample: boolean): Promise<TestRepository> {
  const tree = join(folder, `${name}-tree`);
  const bare = join(folder, `${name}.git`);
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await run("git", args, { cwd: tree, env: { ...process.env, ...identity } });
    return stdout.trim();
  };
  await mkdir(tree, { recursive: true });
  if (withExample) await cp(example, tree, { recursive: true, filter: (path) => !/\/(dist|node_modules)$/.test(path) });
  await git("init", "--quiet", "--initial-branch=main");
  await git("init", "--quiet", "--bare", bare);
  return {
    url: `file://${bare}`,
    async commit(files, branch = "main") {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(tree, path)), { recursive: true });
        await (text === null ? rm(join(tree, path)) : writeFile(join(tree, path), text));
      }
      await git("add", "--all");
      await git("commit", "--quiet", "--allow-empty", "--message", "a change");
      await git("push", "--quiet", "--force", bare, `HEAD:refs/heads/${branch}`);
      return git("rev-parse", "HEAD");
    },
    link: (path, target) => symlink(target, join(tree, path)),
    async branch(name_, sha) {
      await git("push", "--quiet", bare, `${sha}:refs/heads/${name_}`);
    },
  };
}
