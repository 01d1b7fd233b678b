import type { Findings } from "../figures.ts";

/** One part of the benchmark `real`: the parts (scripts/real/parts) that it needs, and what it finds. Keys of figures differ between legs. */
export type RealLeg = {
  readonly name: string;
  readonly parts: readonly string[];
  measure(say: (line: string) => void): Promise<Findings>;
};
