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

/** An amount as people write it: 16 MiB. */
export function bytesText(bytes: number): string {
  return bytes % mebibyte === 0 ? `${bytes / mebibyte} MiB` : `${bytes} bytes`;
}

/** A time as slipway.yaml writes it: 90s, 10m. */
export function timeText(ms: number): string {
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

/**
 * rlimits of a step, as arguments of prlimit(1). RLIMIT_AS is left alone: Node reserves far more than it uses.
 * RLIMIT_DATA counts per process, so that without control groups the memory limit holds for each process alone.
 */
export function prlimitArgs(
  limits: Limits,
  group: { readonly limitsMemory: boolean; readonly limitsProcesses: boolean },
): string[] {
  return [
    "--core=0",
    "--nofile=4096",
    `--fsize=${limits.diskBytes}`,
    // Counts all that run as this user, other steps of the build as well: only where no group counts this step alone.
    ...(group.limitsProcesses ? [] : [`--nproc=${limits.processes}`]),
    ...(group.limitsMemory ? [] : [`--data=${limits.memoryBytes}`]),
  ];
}
