import { type RealPart, realPart } from "../../packages/testkit/src/index.ts";
import type { Findings } from "../figures.ts";

/** One part of the benchmark `real`: the parts (scripts/real/parts) that it needs, and what it finds. Keys of figures differ between legs. */
export type RealLeg = {
  readonly name: string;
  readonly parts: readonly string[];
  measure(say: (line: string) => void): Promise<Findings>;
};

/** A part that the leg names: it is there, or the leg is not run. */
export function needed(name: string): RealPart {
  const part = realPart(name);
  if (part === undefined) throw new Error(`${name} is not among the parts of this leg`);
  return part;
}
