import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { type GitSha, type Instant, instant } from "@slipway/kernel";
import type { RepositoryUrl } from "./repository-url.ts";

/** git said no for good: the commit or the repository is not there, or the credentials are wrong. */
export class GitRefused extends Error {}

export type Checkout = {
  readonly repository: RepositoryUrl;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** File of all authorities to believe; none: those of the machine. */
  readonly authorities?: string | undefined;
  readonly gitSha: GitSha;
  readonly ref: string;
  /** Emptied and filled with the commit's files, without `.git`. */
  readonly into: string;
  /** Where git keeps its own files meanwhile; removed afterwards. */
  readonly gitDir: string;
  readonly signal: AbortSignal;
};

const timeoutMs = 300_000;
const keptOutput = 16_384;
const programs = "/usr/local/bin:/usr/bin:/bin";
const certificateRemedy =
  "If the server's certificate is of an authority of your own, give that to build-service: NODE_EXTRA_CA_CERTS, in the chart caConfigMap.";

/** Whether git has an ssh to call: the image of the services has none. */
export async function sshIsThere(path: string = programs): Promise<boolean> {
  const found = path.split(":").map((folder) => access(join(folder, "ssh"), constants.X_OK));
  return Promise.any(found).then(
    () => true,
    () => false,
  );
}

/**
 * Fetches one commit and writes its files. The repository's content is not trusted: no hooks, no filters, no submodules, no
 * configuration of this machine, no transport but the URL's own. Credentials go by environment, never by argument.
 */
export async function checkOut(request: Checkout): Promise<{ committedAt: Instant }> {
  const git = (args: readonly string[]): Promise<string> => runGit(request, args);
  await rm(request.into, { recursive: true, force: true });
  await rm(request.gitDir, { recursive: true, force: true });
  await mkdir(request.into, { recursive: true });
  try {
    await git(["init", "--quiet", "--bare", "--template=", request.gitDir]);
    await fetchCommit(request, git);
    const time = await git(["--git-dir", request.gitDir, "show", "--no-patch", "--format=%ct", request.gitSha]);
    const tree = ["--git-dir", request.gitDir, "--work-tree", request.into];
    await git([...tree, "checkout", "--quiet", "--force", "--detach", request.gitSha]);
    return { committedAt: instant(Number(time.trim()) * 1_000) };
  } finally {
    await rm(request.gitDir, { recursive: true, force: true });
  }
}

/** By the commit's own id; a server that does not serve ids is asked for the branch instead. */
async function fetchCommit(request: Checkout, git: (args: readonly string[]) => Promise<string>): Promise<void> {
  const { gitDir, gitSha, ref, repository } = request;
  const fetch = (what: string, depth: readonly string[]): Promise<string> =>
    git([
      ...["--git-dir", gitDir, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", ...depth],
      ...["--end-of-options", repository.url, what],
    ]);
  try {
    await fetch(gitSha, ["--depth=1"]);
  } catch (error) {
    if (!(error instanceof GitRefused) || !/not our ref|unadvertised|does not allow request/i.test(error.message))
      throw error;
    await fetch(ref, []);
  }
}

function runGit(request: Checkout, args: readonly string[]): Promise<string> {
  const child = spawn("git", [...hardening(request.repository), ...args], {
    cwd: "/",
    env: environment(request),
    stdio: ["ignore", "pipe", "pipe"],
    signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]),
    killSignal: "SIGKILL",
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out = (out + String(chunk)).slice(-keptOutput);
  });
  child.stderr.on("data", (chunk) => {
    err = (err + String(chunk)).slice(-keptOutput);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(out);
      else reject(gitError(err.trim(), signal));
    });
  });
}

/** git ends with 128 for nearly everything: its words tell what is worth another attempt. */
function gitError(text: string, signal: string | null): Error {
  const passing =
    /could ?n[o']t (resolve|connect)|failed to connect|temporary failure|connection (refused|reset|closed)|timed out|unreachable|early eof|RPC failed|returned error: (5\d\d|429)|hung up/i;
  if (/certificate (problem|verification failed)/i.test(text)) return new GitRefused(`${text}\n${certificateRemedy}`);
  const message = text === "" ? `git was ended by ${signal ?? "something"}` : text;
  return passing.test(message) || text === "" ? new Error(message) : new GitRefused(message);
}

function hardening(repository: RepositoryUrl): string[] {
  const settings = [
    "protocol.allow=never",
    `protocol.${repository.scheme}.allow=always`,
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "fetch.fsckObjects=true",
    "submodule.recurse=false",
    "http.followRedirects=initial",
    "credential.helper=",
    "advice.detachedHead=false",
    "gc.auto=0",
  ];
  return settings.flatMap((setting) => ["-c", setting]);
}

function environment(request: Checkout): Record<string, string> {
  const base = {
    PATH: programs,
    HOME: "/nonexistent",
    LANG: "C.UTF-8",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "/bin/false",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
    GIT_LFS_SKIP_SMUDGE: "1",
    ...(request.authorities === undefined ? {} : { GIT_SSL_CAINFO: request.authorities }),
  };
  if (request.credentials === undefined) return base;
  const { username, password } = request.credentials;
  const basic = Buffer.from(`${username}:${password}`).toString("base64");
  return {
    ...base,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${new URL(request.repository.url).origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
}

/** Reads a file at the top of a checkout. A link is not followed: it may point anywhere on this machine. */
export async function readTopFile(folder: string, name: string, maxBytes: number): Promise<string | undefined> {
  const file = await open(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > maxBytes) return undefined;
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
