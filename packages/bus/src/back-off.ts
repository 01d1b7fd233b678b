/** ms until the next attempt after so many failed ones: 100 ms, doubling, at most 30 s. */
export function backOffMs(failedAttempts: number): number {
  return Math.min(30_000, 100 * 2 ** Math.min(failedAttempts - 1, 20));
}
