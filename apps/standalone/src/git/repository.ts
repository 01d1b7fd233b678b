import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { HookFile } from "./deliver-push.ts";

const run = promisify(execFile);

/** Git without the machine's own configuration, hooks or prompts. */
export async function git(
  args: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const env = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    ...options.env,
  };
  const { stdout } = await run("git", [...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env,
    maxBuffer: 10_000_000,
  });
  return stdout.trim();
}

/** A bare repository whose hook delivers each push as a signed webhook. Made once; the hook is written anew at each start, as the port may have changed. */
export async function ensureBareRepository(path: string, hook: HookFile, entry: string): Promise<void> {
  if (!existsSync(join(path, "HEAD"))) {
    await git(["init", "--bare", "--quiet", "--initial-branch=main", path]);
    await git(["-C", path, "config", "http.receivepack", "true"]);
  }
  mkdirSync(join(path, "hooks"), { recursive: true });
  const file = join(path, "slipway-hook.json");
  writeFileSync(file, JSON.stringify(hook), { mode: 0o600 });
  const script = join(path, "hooks", "post-receive");
  writeFileSync(
    script,
    `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(entry)} role git-hook ${quote(JSON.stringify({ file }))}\n`,
  );
  chmodSync(script, 0o700);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
