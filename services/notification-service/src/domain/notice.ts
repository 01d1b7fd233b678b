/** How urgent: `problem` wants a person now, `attention` a decision, `good` and `info` nothing. */
export type Severity = "problem" | "attention" | "good" | "info";

/** What somebody is asked for: to approve it, or to let it go on. */
export type Wait = "approval" | "resume";

/** A notification before it has the form of a channel. All texts are plain: each channel escapes for itself. */
export type Notice = {
  readonly severity: Severity;
  /** Id of what it is about: D-, B- or P-number. */
  readonly about: string;
  readonly title: string;
  readonly text: string;
  readonly facts: readonly Fact[];
  /** Set where it asks somebody for a decision; an event that brings one settles it. */
  readonly waits?: Wait;
  /** What a person can do by hand, with Slipway away; each a line for a shell. */
  readonly byHand?: { readonly why: string; readonly lines: readonly string[] };
};

export type Fact = { readonly name: string; readonly value: string };

/** `2 of 40 (5.0%)`. */
export function share(part: number, whole: number): string {
  if (whole === 0) return "none seen";
  const percent = (part / whole) * 100;
  return `${part} of ${whole} (${percent > 0 && percent < 0.1 ? percent.toFixed(3) : percent.toFixed(1)}%)`;
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listing(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
