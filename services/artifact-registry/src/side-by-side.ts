import { OciError } from "@slipway/oci";

/** Blobs on their way at once. */
const atOnce = 3;

/**
 * Does something with each blob, a few at a time. Rejects with what has failed first, and only once all of them have ended, so that none works on beside a
 * repetition.
 */
export async function sideBySide<T>(
  blobs: readonly T[],
  signal: AbortSignal,
  each: (blob: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const waiting = [...blobs];
  const others = new AbortController();
  const either = AbortSignal.any([signal, others.signal]);
  const worker = async (): Promise<void> => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) await each(blob, either);
  };
  const workers = Array.from({ length: atOnce }, () =>
    worker().catch((error: unknown) => {
      waiting.length = 0;
      others.abort();
      throw error;
    }),
  );
  const ends = await Promise.allSettled(workers);
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
  // Those that were ended by the first failure say that they were.
  const cause = failures.find((error) => !(error instanceof OciError && error.kind === "unavailable")) ?? failures[0];
  if (cause !== undefined) throw cause;
}
