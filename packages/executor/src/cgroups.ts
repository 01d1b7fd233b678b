import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupParent, Limits } from "./types.ts";

/**
 * Control groups, both kinds. v1 has one hierarchy per controller; v2 has one for all and can kill a whole tree at once.
 * On hybrid machines v1 limits and v2 kills.
 */
export type StepGroup = {
  /** Files into which the first process of the step writes itself. */
  readonly procsFiles: readonly string[];
  readonly limitsMemory: boolean;
  readonly limitsProcesses: boolean;
  /** Kills everything in the group at once, where the kernel has a way to. */
  kill(): void;
  /** True when the kernel killed something here for want of memory. */
  ranOutOfMemory(): boolean;
  /** True when the kernel refused somebody here another process. */
  ranOutOfProcesses(): boolean;
  remove(): void;
};

type Controller = CgroupParent["controllers"][number];
const wanted: readonly Controller[] = ["memory", "pids", "cpu"];
const cpuPeriodUs = 100_000;
const groupPrefix = "slipway-";

/** Hierarchies of this machine in which we can make groups, found by making one. Paths are parameters for tests. */
export function findCgroups(root = "/sys/fs/cgroup", self = "/proc/self/cgroup"): CgroupParent[] {
  const found = parseMembership(read(self)).map(({ names, path }) =>
    names === "" ? v2Parent(root, path) : v1Parent(root, names, path),
  );
  return found.filter((parent) => parent !== undefined);
}

/** The lines of /proc/self/cgroup, `<id>:<controllers>:<path>`; without controllers it is the v2 hierarchy. */
export function parseMembership(text: string): { readonly names: string; readonly path: string }[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    return match === null ? [] : [{ names: match[1] ?? "", path: match[2] ?? "/" }];
  });
}

function v1Parent(root: string, names: string, path: string): CgroupParent | undefined {
  const controllers = wanted.filter((name) => names.split(",").includes(name));
  if (controllers.length === 0) return undefined;
  const folders = [join(root, names, path), join(root, names)];
  const folder = folders.find((candidate) => canMakeGroup(candidate));
  return folder === undefined ? undefined : { version: 1, controllers, path: folder };
}

/** v2 lends controllers only to groups whose parent holds no process: the root, else a parent delegated to us. */
function v2Parent(root: string, path: string): CgroupParent | undefined {
  const mount = read(join(root, "cgroup.controllers")) === "" ? join(root, "unified") : root;
  for (const folder of [join(mount, path), join(mount, path, ".."), mount]) {
    lend(folder);
    if (!canMakeGroup(folder)) continue;
    const lent = read(join(folder, "cgroup.subtree_control")).split(/\s+/);
    const controllers = wanted.filter((name) => lent.includes(name));
    if (controllers.length > 0 || mount !== root) return { version: 2, controllers, path: folder };
  }
  return canMakeGroup(join(mount, path)) ? { version: 2, controllers: [], path: join(mount, path) } : undefined;
}

function lend(folder: string): void {
  for (const name of wanted) attempt(() => writeFileSync(join(folder, "cgroup.subtree_control"), `+${name}`));
}

function canMakeGroup(folder: string): boolean {
  const probe = join(folder, `${groupPrefix}probe-${process.pid}`);
  const made = attempt(() => mkdirSync(probe));
  // The folder of a real hierarchy is born with this file; a plain folder of the same name is not one.
  const real = made && read(join(probe, "cgroup.procs"), "absent") !== "absent";
  attempt(() => rmdirSync(probe));
  return real;
}

/**
 * Groups that a killed platform left behind. Another one may live on this machine: its group refuses to go only once a process is in it, so
 * that those of a living platform are let be.
 */
export function removeStaleGroups(parents: readonly CgroupParent[]): void {
  for (const { path } of parents) {
    const names = readNames(path).filter((name) => name.startsWith(groupPrefix));
    const stale = names.filter((name) => !isAlive(Number(/^slipway-(\d+)-/.exec(name)?.[1] ?? 0)));
    for (const name of stale) attempt(() => rmdirSync(join(path, name)));
  }
}

/** Makes the groups of one step with its limits. `name` is unique per step. */
export function makeGroup(parents: readonly CgroupParent[], name: string, limits: Limits): StepGroup {
  const groups = parents.map((parent) => ({ ...parent, path: join(parent.path, `${groupPrefix}${name}`) }));
  for (const group of groups) {
    mkdirSync(group.path);
    for (const [file, value, must] of settings(group, limits)) {
      const written = attempt(() => writeFileSync(join(group.path, file), value));
      if (!written && must) throw new Error(`control group limit ${file} could not be set in ${group.path}`);
    }
  }
  const memory = groups.find((group) => group.controllers.includes("memory"));
  const pids = groups.find((group) => group.controllers.includes("pids"));
  return {
    procsFiles: groups.map((group) => join(group.path, "cgroup.procs")),
    limitsMemory: memory !== undefined,
    limitsProcesses: pids !== undefined,
    kill: () => {
      for (const group of groups) attempt(() => writeFileSync(join(group.path, "cgroup.kill"), "1", { flag: "r+" }));
    },
    ranOutOfMemory: () => memory !== undefined && /^oom_kill [1-9]/m.test(read(join(memory.path, oomFile(memory)))),
    ranOutOfProcesses: () => pids !== undefined && /^max [1-9]/m.test(read(join(pids.path, "pids.events"))),
    remove: () => {
      for (const group of groups) attempt(() => rmdirSync(group.path));
    },
  };
}

/** Of a step whose runner is process 1 of a pod: everything but the runner is the step's. Its limits are the pod's. */
export function podGroup(): StepGroup {
  return {
    procsFiles: [],
    limitsMemory: true,
    limitsProcesses: false,
    kill: () => {
      // Anywhere else this would be everything that the user runs.
      if (process.pid === 1) attempt(() => process.kill(-1, "SIGKILL"));
    },
    ranOutOfMemory: () => /^oom_kill [1-9]/m.test(read("/sys/fs/cgroup/memory.events")),
    ranOutOfProcesses: () => false,
    remove: () => undefined,
  };
}

function oomFile(group: CgroupParent): string {
  return group.version === 1 ? "memory.oom_control" : "memory.events";
}

/** Files to write; the swap limit is missing on kernels without swap accounting. */
export function settings(group: CgroupParent, limits: Limits): [file: string, value: string, must: boolean][] {
  const has = (name: Controller): boolean => group.controllers.includes(name);
  const quota = String(Math.round(limits.cpus * cpuPeriodUs));
  const memory = String(limits.memoryBytes);
  const v1: [string, string, boolean, Controller][] = [
    ["memory.limit_in_bytes", memory, true, "memory"],
    ["memory.memsw.limit_in_bytes", memory, false, "memory"],
    ["pids.max", String(limits.processes), true, "pids"],
    ["cpu.cfs_quota_us", quota, true, "cpu"],
  ];
  const v2: [string, string, boolean, Controller][] = [
    ["memory.max", memory, true, "memory"],
    ["memory.swap.max", "0", false, "memory"],
    ["pids.max", String(limits.processes), true, "pids"],
    ["cpu.max", `${quota} ${cpuPeriodUs}`, true, "cpu"],
  ];
  return (group.version === 1 ? v1 : v2)
    .filter(([, , , name]) => has(name))
    .map(([file, value, must]) => [file, value, must]);
}

function read(path: string, otherwise = ""): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** True for a process of this machine that has not ended. */
export function isAlive(pid: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
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
