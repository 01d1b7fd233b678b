export type UntilOptions = {
  /** Default 90 s: more than anything takes where much else runs, and less than a test or a hook has. */
  readonly timeoutMs?: number;
  /** What is waited for, as the error will say it. */
  readonly what: string;
};

/**
 * Waits until the condition gives a truthy value, and returns it. A condition that throws counts as "not yet"; its last
 * error is the cause of the time-out error.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 90_000, what }: UntilOptions,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let pauseMs = 2;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline)
      throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, lastError === undefined ? {} : { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, 50);
  }
}
