/** The codes (`ECONNREFUSED`) of an error and of all that caused it, with spaces between them; empty where there are none. */
export function errorCodes(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const inner = error instanceof AggregateError ? error.errors.map(errorCodes).join(" ") : errorCodes(error.cause);
  return `${code} ${inner}`;
}

/** What to do where a file cannot be read. `namedIn`: where its path stands. */
export function unreadableRemedy(error: unknown, namedIn: string): string {
  if (/EACCES|EPERM/.test(errorCodes(error))) return "let this process's user read it";
  return `put it there, or correct ${namedIn}`;
}
