import type { Findings } from "../figures.ts";

/** One part of the benchmark `real`: the parts (scripts/real/parts) that it needs, and what it finds. Keys of figures differ between legs. */
export type RealLeg = {
  readonly name: string;
  readonly parts: readonly string[];
  /** Its servers have disks of their own elsewhere: here they keep their data in memory, so that what is measured does not wait for their writes to the one disk. */
  readonly ownDisks?: true;
  measure(say: (line: string) => void): Promise<Findings>;
};
