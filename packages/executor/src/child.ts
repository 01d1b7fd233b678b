import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";

/** How a child process ended. `ready`: the recipe reported on descriptor 3 that the step was about to start. */
export type ChildEnd = {
  readonly code: number | null;
  readonly signal: string | null;
  readonly ready: boolean;
  /** The last of what the recipe itself wrote to stderr; the step's own output is on stdout. */
  readonly stderr: string;
};

export type Child = {
  /** Kills the first process, with which the kernel ends the step's pid namespace, and the process group. */
  kill(): void;
  /** Reads output until nobody holds the pipe any more. Throws what `onOutput` throws, after killing the child. */
  run(onOutput: (chunk: Uint8Array) => Promise<void>): Promise<ChildEnd>;
};

const keptStderr = 4_096;

/** Starts a program in a process group of its own, without a shell of ours in between. `onExit`: it ended, others may still hold its output. */
export function startChild(
  argv: [string, ...string[]],
  place: { cwd: string; env: Record<string, string> },
  onExit: () => void = () => undefined,
): Child {
  const [program, ...args] = argv;
  const child = spawn(program, args, { ...place, detached: true, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => undefined);
  child.once("exit", onExit);
  const ended = once(child, "close") as Promise<[number | null, string | null]>;
  ended.catch(() => undefined);
  const kill = (): void => killGroup(child);
  return { kill, run: (onOutput) => Promise.race([drain(child, ended, onOutput, kill), failed]) };
}

async function drain(
  child: ChildProcess,
  ended: Promise<[number | null, string | null]>,
  onOutput: (chunk: Uint8Array) => Promise<void>,
  kill: () => void,
): Promise<ChildEnd> {
  let ready = false;
  let stderr = "";
  child.stdio[3]?.on("data", () => {
    ready = true;
  });
  const readErr = forEachChunk(child.stderr, async (chunk) => {
    stderr = (stderr + Buffer.from(chunk).toString("utf8")).slice(-keptStderr);
  });
  try {
    await Promise.all([forEachChunk(child.stdout, onOutput), readErr]);
  } catch (error) {
    kill();
    await ended;
    throw error;
  }
  const [code, signal] = await ended;
  return { code, signal, ready, stderr };
}

async function forEachChunk(stream: Readable | null, act: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  if (stream === null) return;
  for await (const chunk of stream) await act(chunk as Uint8Array);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}
