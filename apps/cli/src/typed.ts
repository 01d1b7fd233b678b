import { issueText, rangeText, shown } from "@slipway/contracts";
import type { z } from "zod";
import { Unusable } from "./exit-codes.ts";

/** The option by which it was given; of several fields the option of each: `{ environment: "--env" }`. What is not named was an argument. */
type Given = string | Readonly<Record<string, string>>;

/** What was typed, by the same schema that the server uses and in the words that the server would say. Throws Unusable. */
export function typed<T>(schema: z.ZodType<T, unknown>, value: unknown, given: Given = {}): T {
  const parsed = schema.safeParse(value, { error: issueText });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const message = issue?.message ?? "not understood";
  const place = [...nameOf(issue?.path ?? [], given), ...valueAt(value, issue?.path ?? [], message)].join(" ");
  throw new Unusable(place === "" ? message : `${place}: ${message}`);
}

function nameOf([field, ...inner]: readonly PropertyKey[], given: Given): readonly string[] {
  if (typeof given === "string") return [given];
  if (field === undefined) return [];
  // One of several in a list is told by what it is, not by its number.
  const where = inner.filter((key) => typeof key === "string").join(".");
  return [given[String(field)] ?? String(field), ...(where === "" ? [] : [where])];
}

/** What was given, where the message does not say it already. */
function valueAt(value: unknown, path: readonly PropertyKey[], message: string): readonly string[] {
  const found = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
  if (typeof found !== "string" || message.includes(shown(found))) return [];
  return [/^\S{1,60}$/.test(found) ? found : shown(found)];
}

/** A whole number of an option; the same sentence for whatever else was given. */
export function count(option: string, value: string, [least, most]: readonly [number, number]): number {
  const parsed = /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof parsed === "number" && parsed >= least && parsed <= most) return parsed;
  throw new Unusable(`${option} ${rangeText(least, most, parsed)}.`);
}
