/** What a benchmark found. `figures` go into the last line it prints; `runs` says over how many samples. */
export type Findings = {
  readonly figures: Readonly<Record<string, number>>;
  readonly runs: number;
};

export type Benchmark = {
  readonly name: string;
  /** `say` tells how it goes; nothing else may be printed. */
  measure(say: (line: string) => void): Promise<Findings>;
};

/** The smallest sample that at least `share` of all are not above; NaN for none. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

export function mean(samples: readonly number[]): number {
  return samples.reduce((sum, own) => sum + own, 0) / samples.length;
}

export function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
