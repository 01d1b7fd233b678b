import type { Histogram, HostReading } from "./types.ts";

/** What is added up for one host while a reading is made. */
export type HostTotals = {
  requests: number;
  errors: number;
  readonly buckets: Map<number, number>;
  readonly unreached: boolean;
};

export function noTotals(): HostTotals {
  return { requests: 0, errors: 0, buckets: new Map(), unreached: false };
}

export function readingOfHost({ requests, errors, buckets, unreached }: HostTotals): HostReading {
  return { requests, errors, latency: histogram(buckets), ...(unreached ? { unreached } : {}) };
}

/** From the counts by upper bound. */
function histogram(buckets: Map<number, number>): Histogram {
  if (!buckets.has(Number.POSITIVE_INFINITY)) buckets.set(Number.POSITIVE_INFINITY, 0);
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  return { le: sorted.map(([bound]) => bound), counts: sorted.map(([, observations]) => observations) };
}

/** The name in a reading of a caller that reached no pod. It may be a pod of the version itself, which has a name of its own there. */
export const callerName = (host: string) => `from ${host}`;
