import { shortestMasked } from "@slipway/contracts";

/** A text that may be printed of a secret. */
export type Form = {
  readonly text: string;
  /** Printed by a tool that breaks long lines (base64, hex dumps): it goes on in the next line. */
  readonly wraps: boolean;
};

/** Of longer forms so many characters in a row are enough to be masked. */
export const fragment = 16;
/** Forms are found by blocks of this size: any `fragment` characters hold a whole one that begins at a multiple of it. */
export const block = fragment / 2;
/** So often the same block of one form is looked up; a secret that repeats itself is found by its ends. */
const mostRepeats = 16;

export type Forms = {
  /** Shorter than a fragment: found whole. */
  readonly short: readonly string[];
  /** Where blocks of the others stand, by their text. */
  readonly blocks: ReadonlyMap<string, readonly Occurrence[]>;
  /** Those that wrap, by their first characters. */
  readonly beginnings: ReadonlyMap<string, readonly Form[]>;
};
export type Occurrence = { readonly form: Form; readonly at: number };

/**
 * A secret and each of its lines, as they are, in base64 at the three alignments that it can have in a longer text, and in hex.
 * Percent encoding and escapes are not among them: they are undone in what is looked at (views.ts).
 */
export function formsOf(secrets: readonly string[]): Forms {
  const forms = new Map<string, Form>();
  const add = (text: string, wraps: boolean): void => {
    if (text.length < shortestMasked) return;
    forms.set(text, { text, wraps: wraps || forms.get(text)?.wraps === true });
  };
  for (const secret of secrets) {
    const whole = new Set([secret, secret.replaceAll("\r\n", "\n"), secret.trimEnd()]);
    for (const text of whole) {
      // A value of several lines is printed over several lines.
      add(text, text.includes("\n"));
      for (const encoded of encodings(text)) add(encoded, true);
    }
    for (const line of secret.split(/\r\n|\r|\n/)) {
      const text = line.trim();
      add(text, false);
      if (text.length >= shortestMasked) for (const encoded of encodings(text)) add(encoded, false);
    }
  }
  const all = [...forms.values()];
  return {
    short: all.flatMap(({ text }) => (text.length < fragment ? [text] : [])).sort((a, b) => b.length - a.length),
    blocks: blocksOf(all.filter(({ text }) => text.length >= fragment)),
    beginnings: Map.groupBy(
      all.filter(({ wraps }) => wraps),
      ({ text }) => text.slice(0, shortestMasked),
    ),
  };
}

function encodings(text: string): string[] {
  const hex = Buffer.from(text).toString("hex");
  return [...[0, 1, 2].map((shift) => alignedBase64(text, shift)), hex, hex.toUpperCase()];
}

/** The part of a base64 text that depends on the secret alone when `shift` other bytes stand before it. */
function alignedBase64(secret: string, shift: number): string {
  const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)]);
  const text = bytes.toString("base64").replace(/=+$/, "");
  const from = shift === 0 ? 0 : shift + 1;
  const to = bytes.length % 3 === 0 ? text.length : text.length - 1;
  return text.slice(from, to);
}

function blocksOf(forms: readonly Form[]): Map<string, readonly Occurrence[]> {
  const blocks = new Map<string, Occurrence[]>();
  for (const form of forms) {
    for (let at = 0; at + block <= form.text.length; at += block) {
      const key = form.text.slice(at, at + block);
      const places = blocks.get(key) ?? [];
      const mine = places.filter((place) => place.form === form);
      if (mine.length >= mostRepeats) places.splice(places.indexOf(mine[mostRepeats / 2] as Occurrence), 1);
      places.push({ form, at });
      blocks.set(key, places);
    }
  }
  return blocks;
}
