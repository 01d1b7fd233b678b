import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GitShaSchema } from "@slipway/contracts";
import type { GitSha } from "@slipway/kernel";
import { git } from "../git/repository.ts";

const author = {
  GIT_AUTHOR_NAME: "Ada Newcomer",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada Newcomer",
  GIT_COMMITTER_EMAIL: "ada@example.com",
};

/** A developer's clone of the example, in which the story makes its changes. */
export type WorkingCopy = {
  /** Makes a commit, unless one with this subject is there already, and returns it. */
  commit(wanted: Commit): Promise<GitSha>;
  /** Pushes to the platform; what the hook said. */
  push(sha: GitSha): Promise<string>;
};

export type Commit = {
  readonly subject: string;
  /** One of the example's changes, and the release it calls itself: makes each commit's image another one. Absent: the example as it is. */
  readonly behaviour?: { readonly change: string; readonly release: string };
};

export type WorkingCopyOptions = {
  readonly folder: string;
  readonly example: string;
  readonly remote: string;
  readonly tokenFile: string;
};

export async function openWorkingCopy({
  folder,
  example,
  remote,
  tokenFile,
}: WorkingCopyOptions): Promise<WorkingCopy> {
  const run = (...args: readonly string[]) => git(args, { cwd: folder, env: author });
  if (!existsSync(join(folder, ".git"))) {
    mkdirSync(folder, { recursive: true });
    cpSync(example, folder, { recursive: true });
    shortenForOneMachine(join(folder, "slipway.yaml"));
    await run("init", "--quiet", "--initial-branch=main");
  }
  return {
    async commit({ subject, behaviour }) {
      const known = await run("log", "--all", "--fixed-strings", `--grep=${subject}`, "--format=%H", "-1").catch(
        () => "",
      );
      if (known !== "") return GitShaSchema.parse(known);
      if (behaviour !== undefined) writeBehaviour(folder, example, behaviour);
      await run("add", "--all");
      await run("commit", "--quiet", "--allow-empty", "-m", subject);
      return GitShaSchema.parse(await run("rev-parse", "HEAD"));
    },
    async push(sha) {
      // The token goes by environment and helper, never by argument.
      const helper =
        'credential.helper=!f() { echo username=deployer; printf "password="; cat "$SLIPWAY_TOKEN_FILE"; }; f';
      return git(["-c", helper, "push", "--force", remote, `${sha}:refs/heads/main`], {
        cwd: folder,
        env: { ...author, SLIPWAY_TOKEN_FILE: tokenFile },
      });
    },
  };
}

function writeBehaviour(folder: string, example: string, { change, release }: NonNullable<Commit["behaviour"]>): void {
  const text = readFileSync(join(example, "changes", `${change}.mjs`), "utf8");
  writeFileSync(join(folder, "src", "behaviour.mjs"), text.replace(/release = "[^"]*"/, `release = "${release}"`));
}

/** Bake times are cut from minutes to seconds and pods to two per region: the gates wait for their evidence all the same. */
function shortenForOneMachine(file: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replaceAll(/bake: \d+m/g, "bake: 3s").replaceAll(/replicas: \d+/g, "replicas: 2"));
}
