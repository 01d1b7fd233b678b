/** A histogram of durations: `counts[i]` requests took at most `le[i]` ms (cumulative); the last bound may be Infinity. */
export type Histogram = { readonly le: readonly number[]; readonly counts: readonly number[] };

const quantiles: readonly number[] = [0.5, 0.9, 0.99];
const leastForThresholds = 2_000;

/**
 * Thresholds at the baseline's quantiles, snapped up to bucket edges; fixed once, from data before the looks that use them.
 * Empty until the baseline has answered 2,000 requests.
 */
export function thresholdsOf(baseline: Histogram): readonly number[] {
  const total = baseline.counts.at(-1) ?? 0;
  if (total < leastForThresholds) return [];
  const edges = quantiles.map((q) => baseline.le.find((_, i) => (baseline.counts[i] as number) >= q * total));
  const finite = edges.filter((edge) => edge !== undefined && Number.isFinite(edge)) as number[];
  return [...new Set(finite)];
}

/** Requests slower than a threshold that is a bucket edge. */
export function slowerThan(histogram: Histogram, threshold: number): number {
  const index = histogram.le.indexOf(threshold);
  const total = histogram.counts.at(-1) ?? 0;
  return index < 0 ? 0 : total - (histogram.counts[index] as number);
}

/** The sum of two histograms with the same bounds; the other one where one is empty, the fuller one where the bounds differ. */
export function addHistograms(a: Histogram, b: Histogram): Histogram {
  if (a.le.length === 0) return b;
  if (b.le.length === 0) return a;
  const same = a.le.length === b.le.length && a.le.every((edge, i) => edge === b.le[i]);
  if (!same) return (a.counts.at(-1) ?? 0) >= (b.counts.at(-1) ?? 0) ? a : b;
  return { le: a.le, counts: a.counts.map((count, i) => count + (b.counts[i] as number)) };
}

export const noHistogram: Histogram = { le: [], counts: [] };
