import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GitShaSchema } from "@slipway/contracts";
import type { GitSha } from "@slipway/kernel";
import { git } from "../git/repository.ts";
import type { ChangeName } from "./state.ts";

const author = {
  GIT_AUTHOR_NAME: "Ada Newcomer",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada Newcomer",
  GIT_COMMITTER_EMAIL: "ada@example.com",
};

/** A developer's clone of the example, in which the story makes its changes. */
export type WorkingCopy = {
  /** Makes the commit of a change, unless it is there already, and returns it. */
  commit(story: number, change: ChangeName): Promise<GitSha>;
  /** Pushes to the platform; what the hook said. */
  push(sha: GitSha): Promise<string>;
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
    async commit(story, change) {
      const subject = subjects[change](story);
      const known = await run("log", "--all", "--fixed-strings", `--grep=${subject}`, "--format=%H", "-1").catch(
        () => "",
      );
      if (known !== "") return GitShaSchema.parse(known);
      if (change !== "first") writeBehaviour(folder, example, change, story);
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

const subjects: Record<ChangeName, (story: number) => string> = {
  first: () => "feat: orders, the first version",
  good: (story) => `feat: count the orders answered (story ${story})`,
  bad: (story) => `feat: read the stock before answering (story ${story})`,
};

function writeBehaviour(folder: string, example: string, change: "good" | "bad", story: number): void {
  const text = readFileSync(join(example, "changes", `${change}.mjs`), "utf8");
  const release = change === "good" ? `${story}.1` : `${story}.2`;
  writeFileSync(join(folder, "src", "behaviour.mjs"), text.replace(/release = "[^"]*"/, `release = "${release}"`));
}

/** Bake times are cut from minutes to seconds and pods to two per region: the gates wait for their evidence all the same. */
function shortenForOneMachine(file: string): void {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replaceAll(/bake: \d+m/g, "bake: 3s").replaceAll(/replicas: \d+/g, "replicas: 2"));
}
