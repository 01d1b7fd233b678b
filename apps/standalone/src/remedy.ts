/** What to do about an error, where it or what caused it says so. */
export function remedyOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return "remedy" in error && typeof error.remedy === "string" ? error.remedy : remedyOf(error.cause);
}
