type Waits = {
  readonly status: string;
  readonly waiting: { readonly for: string; readonly holder?: string | undefined; readonly unblockedBy: string } | null;
};

/** What a deployment waits for, as part of a sentence; of one that is held who holds it, and why. Empty where it waits for nothing. */
export function waitsText({ status, waiting }: Waits): string {
  if (waiting === null) return "";
  const { for: what, holder } = waiting;
  if (status === "HELD") return `held${holder === undefined ? "" : ` by ${holder}`}: ${what}`;
  return `waiting for ${what}${holder === undefined ? "" : ` (held by ${holder})`}`;
}

/** The same, with what would let it go on. */
export function waitingText(waits: Waits): string {
  const { waiting } = waits;
  return waiting === null ? "" : `${waitsText(waits)}; goes on when: ${waiting.unblockedBy}`;
}
