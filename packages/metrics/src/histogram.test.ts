import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyHistogram, mergeHistograms } from "./histogram.ts";

const inf = Number.POSITIVE_INFINITY;

describe("merging latency histograms", () => {
  it("adds the counts of equal bounds", () => {
    const merged = mergeHistograms([
      { le: [5, 10, inf], counts: [1, 2, 4] },
      { le: [5, 10, inf], counts: [0, 3, 3] },
    ]);

    expect(merged).toEqual({ le: [5, 10, inf], counts: [1, 5, 7] });
  });

  it("keeps the bounds that all have where they differ", () => {
    const merged = mergeHistograms([
      { le: [5, 10, inf], counts: [1, 2, 4] },
      { le: [10, 20, inf], counts: [3, 4, 5] },
    ]);

    expect(merged).toEqual({ le: [10, inf], counts: [5, 9] });
  });

  it("lets a histogram without observations have no say", () => {
    expect(mergeHistograms([emptyHistogram, { le: [5, inf], counts: [1, 2] }])).toEqual({
      le: [5, inf],
      counts: [1, 2],
    });
    expect(mergeHistograms([])).toEqual(emptyHistogram);
  });

  it("does not depend on the order, and stays cumulative", () => {
    const any = fc
      .tuple(
        fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 5 }),
        fc.array(fc.nat(9), { minLength: 6, maxLength: 6 }),
      )
      .map(([bounds, increments]) => {
        const le = [...bounds.sort((a, b) => a - b), inf];
        let total = 0;
        return { le, counts: le.map((_, index) => (total += increments[index] ?? 0)) };
      });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 5 }), (histograms) => {
        const merged = mergeHistograms(histograms);
        const sum = histograms.reduce((total, histogram) => total + (histogram.counts.at(-1) ?? 0), 0);

        expect(merged.counts.at(-1)).toBe(sum);
        expect([...merged.counts].sort((a, b) => a - b)).toEqual(merged.counts);
        if (sum > 0) expect(mergeHistograms([...histograms].reverse())).toEqual(merged);
      }),
    );
  });
});
