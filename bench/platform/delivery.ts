import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HookFile } from "../../apps/standalone/src/git/deliver-push.ts";
import { git } from "../../apps/standalone/src/git/repository.ts";
import { BuildIdSchema } from "../../packages/contracts/src/index.ts";
import type { BuildId, GitSha } from "../../packages/kernel/src/index.ts";
import { type Example, serviceName } from "./example.ts";
import type { Platform } from "./platform.ts";

export type Accepted = { readonly buildId: BuildId; readonly sentAt: number; readonly tookMs: number };

/** Delivers pushes as GitHub does: each with an id of its own, so that each asks for a build. */
export type Deliverer = { deliver(sha: GitSha): Promise<Accepted> };

export function deliverer(platform: Platform): Deliverer {
  const file = join(platform.dataDir, "git", `${serviceName}.git`, "slipway-hook.json");
  const hook = HookFile.parse(JSON.parse(readFileSync(file, "utf8")));
  return {
    async deliver(sha) {
      const body = JSON.stringify(payload(hook, sha));
      const headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": randomUUID(),
        "x-hub-signature-256": `sha256=${createHmac("sha256", hook.secret).update(body).digest("hex")}`,
      };
      const sentAt = performance.now();
      const answer = await fetch(hook.webhook, { method: "POST", headers, body });
      const { build_id } = (await answer.json()) as { build_id: string };
      if (answer.status !== 202) throw new Error(`a webhook was answered with ${answer.status}`);
      return { buildId: BuildIdSchema.parse(build_id), sentAt, tookMs: performance.now() - sentAt };
    },
  };
}

/** Puts a commit into the platform's repository without its hook, so that the webhook can be sent from here. */
export async function place(platform: Platform, { folder }: Example, sha: GitSha): Promise<void> {
  const repository = join(platform.dataDir, "git", `${serviceName}.git`);
  await git(["-C", repository, "fetch", "--quiet", folder, `+${sha}:refs/heads/main`], {
    env: { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "uploadpack.allowAnySHA1InWant", GIT_CONFIG_VALUE_0: "true" },
  });
}

/** As large as GitHub's own: what a push of one commit looks like. */
function payload(hook: HookFile, sha: GitSha) {
  const person = { name: "Ada Newcomer", email: "ada@example.com", username: "ada" };
  const commit = {
    id: sha,
    tree_id: sha,
    message: `feat: something\n\n${"why ".repeat(200)}`,
    timestamp: new Date().toISOString(),
    author: person,
    committer: person,
    added: [],
    removed: [],
    modified: Array.from({ length: 50 }, (_, at) => `src/some/folder/file-${at}.ts`),
  };
  return {
    ref: "refs/heads/main",
    before: "0".repeat(40),
    after: sha,
    deleted: false,
    head_commit: commit,
    commits: [commit],
    repository: {
      id: 1,
      name: serviceName,
      full_name: hook.fullName,
      html_url: hook.url,
      clone_url: hook.url,
      default_branch: "main",
    },
    pusher: person,
  };
}
