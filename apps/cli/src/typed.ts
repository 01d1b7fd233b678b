import type { z } from "zod";
import { Unusable } from "./exit-codes.ts";

/** What was typed, by the same schema that the server uses. Throws Unusable. */
export function typed<T>(schema: z.ZodType<T, unknown>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const said = typeof value === "string" ? `${value}: ` : `${issue?.path.join(".") ?? ""}: `.replace(/^: /, "");
  throw new Unusable(`${said}${issue?.message ?? "not understood"}`);
}

/** A whole number of an option. */
export function count(option: string, value: string, most = 1_000_000): number {
  const parsed = Number(value);
  if (Number.isInteger(parsed) && parsed >= 0 && parsed <= most) return parsed;
  throw new Unusable(`${option} takes a whole number from 0 to ${most}, not ${value}.`);
}
