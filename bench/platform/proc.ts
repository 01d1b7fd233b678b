import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pidFiles } from "../../apps/standalone/src/processes/pid-files.ts";

/** Clock ticks per second of /proc/*\/stat: USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

type Stat = { readonly ppid: number; readonly seconds: number };

/**
 * The processes of a platform: the program, what `pids/` names, Postgres and everything that these have started, but nothing below a region: there
 * are the pods.
 */
export function platformProcesses(programPid: number, dataDir: string): ReadonlySet<number> {
  const named = pidFiles(join(dataDir, "pids")).all();
  const regions = new Set(named.filter(({ name }) => /^[a-z]+-[a-z]+-\d$/.test(name)).map(({ pid }) => pid));
  const postmaster = Number(readFileSync(join(dataDir, "postgres/postmaster.pid"), "utf8").split("\n")[0]);
  const children = new Map<number, number[]>();
  for (const pid of allPids()) {
    const parent = statOf(pid)?.ppid;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = new Set<number>();
  const add = (pid: number) => {
    if (found.has(pid)) return;
    found.add(pid);
    if (!regions.has(pid)) for (const child of children.get(pid) ?? []) add(child);
  };
  for (const pid of [programPid, postmaster, ...named.map(({ pid }) => pid)]) add(pid);
  return found;
}

/** Proportional set size: memory that several share is counted once in all. */
export function pssMib(pids: ReadonlySet<number>): number {
  let kib = 0;
  for (const pid of pids) kib += pssKib(pid);
  return kib / 1_024;
}

export function pssKib(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readOf(pid, "smaps_rollup") ?? "")?.[1] ?? 0);
}

/** Seconds of a core that these have used. What a child used counts while it lives: at its end its parent would show all of it at once. */
export function cpuSeconds(pids: ReadonlySet<number>): number {
  let seconds = 0;
  for (const pid of pids) seconds += statOf(pid)?.seconds ?? 0;
  return seconds;
}

export function commandLine(pid: number): string {
  return (readOf(pid, "cmdline") ?? "").replaceAll("\0", " ").trim();
}

export function allPids(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function statOf(pid: number): Stat | undefined {
  const stat = readOf(pid, "stat");
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = [11, 12].reduce((sum, at) => sum + Number(fields[at]), 0);
  return { ppid: Number(fields[1]), seconds: ticks / ticksPerSecond };
}

/** Undefined for a process that has ended meanwhile. */
function readOf(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}
