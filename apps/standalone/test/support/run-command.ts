import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cleanEnvironment } from "./platform.ts";

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a program to its end (a minute at most, unless it is given longer). A code other than 0 is an answer, not an error; 127: there is no such program. */
export function runCommand(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  timeout = 60_000,
): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { ...cleanEnvironment(), ...env }, timeout, maxBuffer: 20_000_000 };
    execFile(file, [...args], options, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, out, err });
    });
  });
}

/** Runs a program that would go on for ever until it has printed this much, then ends it; what it printed. */
export async function runUntil(file: string, args: readonly string[], enough: RegExp): Promise<string> {
  const child = spawn(file, [...args], { env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const done = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 15_000);
    const add = (chunk: Buffer) => {
      text += chunk.toString();
      if (!enough.test(text)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
  });
  await done;
  child.kill();
  await once(child, "close");
  return text;
}
