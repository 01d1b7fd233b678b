import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { until } from "@slipway/testkit";
import { cleanEnvironment } from "./platform.ts";

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a program to its end (three minutes at most, unless it is given longer). A code other than 0 is an answer, not an error; 127: there is no such program. */
export function runCommand(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  timeout = 180_000,
): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { ...cleanEnvironment(), ...env }, timeout, maxBuffer: 20_000_000 };
    execFile(file, [...args], options, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, out, err });
    });
  });
}

/** A program that goes on for ever, and what it has printed so far. */
export type Watching = {
  /** Waits until it has printed something like this. Rejects with what it did print. */
  shows(pattern: RegExp): Promise<void>;
  /** Ends it; everything it printed. */
  end(): Promise<string>;
};

export function watching(file: string, args: readonly string[]): Watching {
  // In a group of its own: a shell's children end with it.
  const child = spawn(file, [...args], { detached: true, env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close");
  let text = "";
  const add = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout.on("data", add);
  child.stderr.on("data", add);
  return {
    async shows(pattern) {
      await until(() => pattern.test(text), { what: String(pattern) }).catch((error: unknown) => {
        throw new Error(`no ${pattern} in:\n${text}`, { cause: error });
      });
    },
    async end() {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, "SIGTERM");
      await closed;
      return text;
    },
  };
}

/** Runs a program that would go on for ever until it has printed this much, then ends it; what it printed. */
export async function runUntil(file: string, args: readonly string[], enough: RegExp): Promise<string> {
  const child = spawn(file, [...args], { env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const done = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 90_000);
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
