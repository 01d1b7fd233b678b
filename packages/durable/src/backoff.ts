const mostMs = 30_000;
/** What takes exposure back must not be late where a region is well again. */
const mostUrgentMs = 2_000;

/** 100 ms, doubling to 30 s (2 s for what is urgent), each shortened by up to half so that retries do not come in step. `random` in [0, 1). */
export function backoffMs(attempt: number, random: number, urgent = false): number {
  const full = Math.min(urgent ? mostUrgentMs : mostMs, 100 * 2 ** Math.min(attempt - 1, 20));
  return Math.round(full * (1 - random / 2));
}
