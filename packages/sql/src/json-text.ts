/**
 * JSON for a jsonb column. What Postgres cannot hold (U+0000 and half of a surrogate pair: a binary or cut line of somebody's log brings both)
 * becomes U+FFFD: a reason that reads a little worse instead of a row that can never be written.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  if (!/\\u(0000|d[89a-f])/.test(text)) return text;
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === "string" ? storableText(inner) : inner));
}

/** The same for a column of text. */
export function storableText(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}
