import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { until } from "@slipway/testkit";

/** A worker in a process of its own. */
export type WorkerProcess = { said(line: string): Promise<unknown>; killHard(): Promise<void> };

/** `args`: those of worker-process.ts. */
export function spawnWorker(args: readonly string[], env: Readonly<Record<string, string>> = {}): WorkerProcess {
  const program = join(import.meta.dirname, "worker-process.ts");
  const child = spawn(process.execPath, ["--conditions=@slipway/source", program, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return {
    said: (line) => until(() => output.includes(line), { what: `the worker says ${line}` }),
    async killHard() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}
