import type { Limits } from "./types.ts";

const mebibyte = 1_048_576;

/** What a step gets when it asks for nothing else: enough for the dependencies and the tests of a service. */
export const defaultLimits: Limits = {
  memoryBytes: 1_024 * mebibyte,
  processes: 256,
  cpus: 2,
  outputBytes: 16 * mebibyte,
  diskBytes: 4_096 * mebibyte,
  tmpBytes: 512 * mebibyte,
};

/**
 * rlimits of a step, as arguments of prlimit(1). RLIMIT_AS is left alone: Node reserves far more than it uses.
 * RLIMIT_DATA counts per process, so that without control groups the memory limit holds for each process alone.
 */
export function prlimitArgs(limits: Limits, groupsLimitMemory: boolean): string[] {
  return [
    "--core=0",
    "--nofile=4096",
    `--fsize=${limits.diskBytes}`,
    `--nproc=${limits.processes}`,
    ...(groupsLimitMemory ? [] : [`--data=${limits.memoryBytes}`]),
  ];
}
