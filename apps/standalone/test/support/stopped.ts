import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { identify } from "../../src/processes/identity.ts";
import { pidOf, postgresPid } from "./processes.ts";

/** Processes that hang: they live, hold their sockets and locks, and answer nobody. */
export type Hanging = { goOn(): void };

/** SIGSTOP of one of the platform's processes, or of the platform itself. */
export function hang(dataDir: string, name: string): Hanging {
  return stop([pidOf(dataDir, name)]);
}

/** SIGSTOP of the postmaster and then of everything that works in its folder: no connection is refused, none is answered. */
export function hangPostgres(dataDir: string): Hanging {
  const postmaster = stop([postgresPid(dataDir)]);
  const children = stop(workingIn(join(dataDir, "postgres")));
  return {
    goOn() {
      children.goOn();
      postmaster.goOn();
    },
  };
}

function stop(pids: readonly number[]): Hanging {
  for (const pid of pids) if (identify(pid) !== undefined) process.kill(pid, "SIGSTOP");
  return {
    goOn() {
      for (const pid of pids) if (identify(pid) !== undefined) process.kill(pid, "SIGCONT");
    },
  };
}

function workingIn(folder: string): readonly number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && cwdOf(entry) === folder)
    .map(Number);
}

function cwdOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}
