const fullDisk =
  "A disk is full. Make room on the disk of the data folder (and of /tmp) and start again: what is there stays.";

/** An error for people: what happened, and what to do where anything beneath it knows that. */
export function whatToSay(error: unknown): string {
  const chain = causes(error);
  const message = messageOf(chain[0]);
  const remedies = chain.flatMap((one) => remedyOf(one) ?? []);
  if (chain.some(isFullDisk)) remedies.push(fullDisk);
  return [message, ...remedies.map((remedy) => `  ${remedy}`)].join("\n");
}

function causes(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  for (
    let one = error;
    one !== undefined && one !== null && chain.length < 10;
    one = (one as { cause?: unknown }).cause
  ) {
    chain.push(one);
  }
  return chain;
}

function remedyOf(error: unknown): string | undefined {
  const { remedy } = Object(error) as { remedy?: unknown };
  return typeof remedy === "string" ? remedy : undefined;
}

function isFullDisk(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  // 53100: Postgres' word for it.
  return code === "ENOSPC" || code === "53100" || /no space left on device|ENOSPC/i.test(messageOf(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
