import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Control group that holds the memory of a pod's container. */
export type MemoryGroup = {
  readonly procsFile: string;
  ranOutOfMemory(): boolean;
  /** False while something of the container is left in it. */
  remove(): boolean;
};

type Parent = { readonly version: 1 | 2; readonly path: string };

/** Where groups with a memory limit can be made; undefined for an ordinary user without a delegated group. */
export function memoryParent(root = "/sys/fs/cgroup", self = "/proc/self/cgroup"): Parent | undefined {
  for (const line of (read(self) ?? "").split("\n")) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    const parents: Parent[] = names.split(",").includes("memory")
      ? [join(root, "memory", path), join(root, "memory")].map((folder) => ({ version: 1, path: folder }))
      : [];
    // v2 lends a controller only to groups whose parent holds no process, hence the one above ours.
    if (names === "")
      parents.push(...[join(root, path, ".."), root].map((folder) => ({ version: 2 as const, path: folder })));
    const usable = parents.find(canLimitMemory);
    if (usable !== undefined) return usable;
  }
  return undefined;
}

function canLimitMemory(parent: Parent): boolean {
  const probe = join(parent.path, `slipway-probe-${process.pid}`);
  if (!attempt(() => mkdirSync(probe))) return false;
  const limited = read(join(probe, limitFile(parent))) !== undefined;
  attempt(() => rmdirSync(probe));
  return limited;
}

/**
 * A group for one container, by a name that no other has: what one that ran out of memory had is given back a moment after its end, and the next one
 * would be killed for it. Undefined where it cannot be made.
 */
export function makeMemoryGroup(parent: Parent, name: string, bytes: number): MemoryGroup | undefined {
  const path = join(parent.path, `slipway-pod-${name}`);
  attempt(() => mkdirSync(path));
  if (!attempt(() => writeFileSync(join(path, limitFile(parent)), String(Math.floor(bytes))))) return undefined;
  const events = join(path, parent.version === 1 ? "memory.oom_control" : "memory.events");
  const kills = (): number => Number(/^oom_kill (\d+)/m.exec(read(events) ?? "")?.[1] ?? 0);
  const before = kills();
  return {
    procsFile: join(path, "cgroup.procs"),
    ranOutOfMemory: () => kills() > before,
    remove: () => attempt(() => rmdirSync(path)),
  };
}

function limitFile({ version }: Parent): string {
  return version === 1 ? "memory.limit_in_bytes" : "memory.max";
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function attempt(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
