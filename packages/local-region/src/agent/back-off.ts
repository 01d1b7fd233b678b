const firstMs = 1_000;
const longestMs = 60_000;
/** A container that ran this long is healthy: its next end is a first one again. */
export const healthyAfterMs = 60_000;

/** Wait before restart number `failures` (1 = the first end in a row): at once, then 1 s, 2 s, 4 s … 60 s. */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(longestMs, firstMs * 2 ** (failures - 2));
}

/** Wait before the next attempt to pull, after `failures` in a row. */
export function pullDelayMs(failures: number): number {
  return Math.min(30_000, 500 * 2 ** Math.max(0, failures - 1));
}

/** Wait before the pod's Secrets are looked for again. */
export function secretDelayMs(failures: number): number {
  return Math.min(5_000, 250 * 2 ** Math.max(0, failures - 1));
}
