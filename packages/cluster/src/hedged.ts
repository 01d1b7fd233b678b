type Ask<T> = (stop: AbortSignal) => Promise<T>;

/**
 * The first answer: of `first`, or of `second`, which begins where there was none for so long. What fails before that has failed; afterwards the other one is
 * waited for. Whichever is still under way then is stopped, and may have taken hold all the same.
 */
export async function hedged<T>(afterMs: number, first: Ask<T>, second: Ask<T>): Promise<T> {
  const over = new AbortController();
  const begun = first(over.signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), afterMs);
  });
  try {
    const isLate = await Promise.race([begun.then(() => false), late]);
    if (!isLate) return await begun;
    return await Promise.any([begun, second(over.signal)]);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}
