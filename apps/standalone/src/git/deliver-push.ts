import { execFile } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { promisify } from "node:util";
import { request } from "undici";
import { z } from "zod";

/** Where a hook finds the log of the build that it started. */
const Follow = z.object({ url: z.url(), dataDir: z.string() });
export type Follow = z.infer<typeof Follow>;

/** What the hook of a repository needs to know; kept beside the repository, for its owner only. */
export const HookFile = z.object({
  repository: z.string(),
  /** The repository's address as people and the build service know it. */
  url: z.url(),
  webhook: z.url(),
  secret: z.string(),
  /** `owner/name` of the payload. */
  fullName: z.string(),
  /** Absent: the push does not wait for its build. */
  follow: Follow.optional(),
});
export type HookFile = z.infer<typeof HookFile>;

export type Push = { readonly before: string; readonly after: string; readonly ref: string };

/** What a delivery came to: a sentence for the pusher, and the build where one was started. */
export type Delivered = { readonly said: string; readonly buildId?: string };

const Accepted = z.object({ build_id: z.string() });
const Ignored = z.object({ ignored: z.string() });
const git = promisify(execFile);

/**
 * Delivers a push in GitHub's format, signed. The delivery's id is made from what was pushed, so that delivering it again starts nothing again.
 * Never throws: a push that was received stays received.
 */
export async function deliverPush(hook: HookFile, push: Push): Promise<Delivered> {
  const delivery = uuidOf(`${hook.repository} ${push.ref} ${push.before} ${push.after}`);
  try {
    const body = JSON.stringify(await payloadOf(hook, push));
    const answer = await request(hook.webhook, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/slipway",
        "x-github-event": "push",
        "x-github-delivery": delivery,
        "x-hub-signature-256": `sha256=${createHmac("sha256", hook.secret).update(body).digest("hex")}`,
      },
      body,
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
    });
    const text = await answer.body.text();
    const ignored = answer.statusCode === 200 ? Ignored.safeParse(jsonOf(text)).data?.ignored : undefined;
    if (ignored !== undefined) return { said: `nothing is built for it: ${ignored}` };
    if (answer.statusCode !== 202) {
      return { said: `the build service answered ${answer.statusCode}: ${text.slice(0, 500)}` };
    }
    return { said: "build accepted", buildId: Accepted.parse(jsonOf(text)).build_id };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { said: `the build service was not told (${why}); push again later` };
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function payloadOf(hook: HookFile, { before, after, ref }: Push) {
  const deleted = /^0+$/.test(after);
  const commit = deleted ? null : await commitOf(hook.repository, after);
  return {
    ref,
    before,
    after,
    created: /^0+$/.test(before),
    deleted,
    forced: false,
    compare: "",
    head_commit: commit,
    commits: commit === null ? [] : [commit],
    repository: {
      id: 1,
      name: hook.fullName.split("/")[1] ?? hook.fullName,
      full_name: hook.fullName,
      private: true,
      html_url: hook.url,
      clone_url: hook.url,
      url: hook.url,
      default_branch: "main",
    },
    pusher: { name: commit?.author.name ?? "somebody", email: commit?.author.email ?? "" },
    sender: { login: commit?.author.name ?? "somebody", type: "User" },
  };
}

async function commitOf(repository: string, sha: string) {
  const { stdout } = await git("git", [
    "-C",
    repository,
    "show",
    "-s",
    "--format=%H%x00%T%x00%aI%x00%an%x00%ae%x00%B",
    sha,
  ]);
  const [id = sha, tree_id = "", timestamp = "", name = "", email = "", message = ""] = stdout.trim().split("\0");
  return {
    id,
    tree_id,
    timestamp,
    message: message.trim(),
    author: { name, email, username: name },
    committer: { name, email, username: name },
    added: [],
    removed: [],
    modified: [],
  };
}

/** A UUID that is a function of the text. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
