/** 100 ms, doubling to 30 s, each shortened by up to half so that retries do not come in step. `random` in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(30_000, 100 * 2 ** Math.min(attempt - 1, 20));
  return Math.round(full * (1 - random / 2));
}
