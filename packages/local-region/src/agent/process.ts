import { readFileSync } from "node:fs";

/** A process that cannot be mistaken for a later one with the same number. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Clock ticks after boot at which it started (field 22 of /proc/<pid>/stat). */
  readonly startTicks: number;
  readonly bootId: string;
};

/** Changes with each boot of the machine: start ticks mean nothing across boots. */
export function bootId(): string {
  return read("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown";
}

/** The process that has this number now; undefined where there is none or only its zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  return parseStat(read(`/proc/${pid}/stat`) ?? "", bootId());
}

/** Reads a line of /proc/<pid>/stat. The name in parentheses may hold anything, so counting starts behind the last one. */
export function parseStat(line: string, boot: string): ProcessIdentity | undefined {
  const pid = Number.parseInt(line, 10);
  const [state, ...fields] = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const startTicks = Number(fields[18]);
  if (!Number.isInteger(pid) || !Number.isInteger(startTicks) || state === "Z" || state === "X") return undefined;
  return { pid, startTicks, bootId: boot };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** First child of a process: of `unshare --fork`, the first process inside of the namespace. */
export function firstChild(pid: number): ProcessIdentity | undefined {
  const child = Number.parseInt(read(`/proc/${pid}/task/${pid}/children`) ?? "", 10);
  return Number.isInteger(child) ? identify(child) : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
