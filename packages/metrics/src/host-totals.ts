import type { Histogram } from "./types.ts";

/** What is added up for one host while a reading is made. */
export type HostTotals = { requests: number; errors: number; readonly buckets: Map<number, number> };

export function noTotals(): HostTotals {
  return { requests: 0, errors: 0, buckets: new Map() };
}

/** From the counts by upper bound. */
export function histogram(buckets: Map<number, number>): Histogram {
  if (!buckets.has(Number.POSITIVE_INFINITY)) buckets.set(Number.POSITIVE_INFINITY, 0);
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  return { le: sorted.map(([bound]) => bound), counts: sorted.map(([, observations]) => observations) };
}
