import { z } from "zod";
import { shown } from "./issue-text.ts";

/** What is said of a number whatever is wrong with it: which it may be, and what was given. */
export function rangeText(least: number, most: number, given: unknown): string {
  const range = `a whole number from ${least} to ${most}`;
  return given === undefined ? `is missing; it takes ${range}` : `must be ${range}, not ${shown(given)}`;
}

/** A whole number in a range, with one sentence for all that is none. */
export function wholeNumber(least: number, most: number): z.ZodNumber {
  const error = ({ input }: { readonly input?: unknown }) => rangeText(least, most, input);
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error });
}

/** The same in a query, where it is written as text; the text itself is what the sentence names. */
export function wholeParameter(least: number, most: number) {
  const read = (given: unknown) => (typeof given === "string" && /^-?\d{1,15}$/.test(given) ? Number(given) : given);
  return z.preprocess(read, wholeNumber(least, most));
}
