import { createHash } from "node:crypto";
import { sql } from "kysely";

const mark = "/* prepared */";

/**
 * Stands in the text of a statement that is parsed and planned once on each connection, which takes longer than doing it. For what is asked all the
 * time in the same words; it names its columns, since a plan with a `*` fails once a migration has added one.
 */
export const prepared = sql.raw<never>(mark);

export function isPrepared(text: string): boolean {
  return text.includes(mark);
}

const names = new Map<string, string>();

/** The same for the same text, on every connection. */
export function preparedName(text: string): string {
  const name = names.get(text) ?? createHash("sha256").update(text).digest("hex").slice(0, 32);
  names.set(text, name);
  return name;
}

/** Postgres has another statement of that name, or none, or its answer has other columns than when it was planned: a pooler or a migration came between. */
const outOfStep: ReadonlySet<string> = new Set(["42P05", "26000", "0A000"]);

export function isOutOfStep(error: unknown): boolean {
  return error instanceof Error && "code" in error && outOfStep.has(String(error.code));
}
