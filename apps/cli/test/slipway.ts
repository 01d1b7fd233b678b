import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { commandLineVariable } from "./global-setup.ts";

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

/** Runs the command line in a folder, with nothing of the test run's own settings. */
export function slipway(cwd: string, ...args: readonly string[]): Promise<Ran> {
  return slipwayWith(cwd, {}, ...args);
}

/** The same, with variables and something on standard input. */
export async function slipwayWith(
  cwd: string,
  { env = {}, input }: { readonly env?: Readonly<Record<string, string>>; readonly input?: string },
  ...args: readonly string[]
): Promise<Ran> {
  const program = process.env[commandLineVariable] ?? "";
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", HOME: `${cwd}-home`, NO_COLOR: "1", ...env },
    timeout: 60_000,
  });
  child.stdin.on("error", () => undefined).end(input);
  const ended = once(child, "close") as Promise<[number | null]>;
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}

/** Writes files, by path, below a folder. */
export async function writeTree(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}
