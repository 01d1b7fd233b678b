/** What somebody else's value says, as far as it is a record. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** As much of a digest as tells it from others; everything else as it is. */
export function shortened(text: string): string {
  return text.startsWith("sha256:") ? text.slice(0, 19) : text;
}
