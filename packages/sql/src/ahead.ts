import { sql } from "kysely";

const mark = "/* ahead */";

/**
 * Stands in the text of a statement whose answer nobody waits for: it goes to the server in one message with the next one of its connection. That one fails where this
 * one has failed; a commit gives its rows.
 */
export const ahead = sql.raw<never>(mark);

/** Each transaction's `begin` does: what follows it tells whether it could begin. */
export function goesAhead(text: string): boolean {
  return text === "begin" || text.includes(mark);
}
