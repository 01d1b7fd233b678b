import { issueText, rangeText } from "@slipway/contracts";
import type { z } from "zod";
import { Unusable } from "./exit-codes.ts";

/** What was typed, by the same schema that the server uses and in the words that the server would say. Throws Unusable. */
export function typed<T>(schema: z.ZodType<T, unknown>, value: unknown): T {
  const parsed = schema.safeParse(value, { error: issueText });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const said = typeof value === "string" ? `${value}: ` : `${issue?.path.join(".") ?? ""}: `.replace(/^: /, "");
  throw new Unusable(`${said}${issue?.message ?? "not understood"}`);
}

/** A whole number of an option; the same sentence for whatever else was given. */
export function count(option: string, value: string, [least, most]: readonly [number, number]): number {
  const parsed = /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof parsed === "number" && parsed >= least && parsed <= most) return parsed;
  throw new Unusable(`${option} ${rangeText(least, most, parsed)}.`);
}
