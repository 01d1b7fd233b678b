import type { Histogram } from "./types.ts";

/** A histogram with no observation and the one bound that every histogram has. */
export const emptyHistogram: Histogram = { le: [Number.POSITIVE_INFINITY], counts: [0] };

/**
 * The sum of histograms. Cumulative counts are right at every bound that all of them have, so that differing bounds give
 * a coarser histogram, never a wrong one. Histograms without observations have no say in the bounds.
 */
export function mergeHistograms(histograms: readonly Histogram[]): Histogram {
  const [first, ...others] = histograms.filter((histogram) => (histogram.counts.at(-1) ?? 0) > 0);
  if (first === undefined) return histograms[0] ?? emptyHistogram;
  return others.reduce(addHistograms, first);
}

function addHistograms(a: Histogram, b: Histogram): Histogram {
  const inB = new Map(b.le.map((bound, index) => [bound, b.counts[index] ?? 0]));
  const common = a.le.flatMap((bound, index) => {
    const other = inB.get(bound);
    return other === undefined ? [] : [{ bound, count: (a.counts[index] ?? 0) + other }];
  });
  return { le: common.map(({ bound }) => bound), counts: common.map(({ count }) => count) };
}

/** `after - before`, or undefined where they cannot be of one counter: other bounds, or less than before. */
export function subtractHistogram(after: Histogram, before: Histogram): Histogram | undefined {
  const sameBounds = after.le.length === before.le.length && after.le.every((bound, i) => bound === before.le[i]);
  if (!sameBounds) return undefined;
  const counts = after.counts.map((count, index) => count - (before.counts[index] ?? 0));
  return counts.some((count) => count < 0) ? undefined : { le: after.le, counts };
}
