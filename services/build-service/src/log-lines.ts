/**
 * What a step prints, on its way into the log: whole lines of UTF-8, each with the step's name in front, without secrets.
 * A line arrives in any number of chunks; a secret is found across their borders.
 */
export type LogLines = {
  /** Takes a chunk and answers the text that is complete, "" when there is none. */
  push(chunk: Uint8Array): string;
  /** The rest, as a line of its own. */
  end(): string;
};

/** Longer lines are cut into several: a log is for reading, and a line is held in memory until it is whole. */
const longestLine = 16_384;
const shortestSecret = 6;
const mask = "***";

export function logLines(prefix: string, secrets: readonly string[]): LogLines {
  const decoder = new TextDecoder("utf-8");
  const masked = maskerFor(secrets);
  // A line that is cut keeps this much back, so that a secret is not cut in two.
  const overlap = Math.max(0, ...secretForms(secrets).map((form) => form.length - 1));
  let rest = "";
  const whole = (): string => {
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    let text = lines.map((line) => `${prefix}${masked(line)}\n`).join("");
    while (rest.length > longestLine + overlap) {
      const piece = masked(rest);
      // Masking the whole before cutting; what is masked already stays masked when it is looked at again.
      text += `${prefix}${piece.slice(0, Math.max(piece.length - overlap, 1))}\n`;
      rest = piece.slice(Math.max(piece.length - overlap, 1));
    }
    return text;
  };
  return {
    push: (chunk) => {
      rest += normalise(decoder.decode(chunk, { stream: true }));
      return whole();
    },
    end: () => {
      rest += normalise(decoder.decode());
      const text = whole();
      const last = rest === "" ? "" : `${prefix}${masked(rest)}\n`;
      rest = "";
      return text + last;
    },
  };
}

/** Replaces secrets in one text, in every form in which they are likely to be printed. */
export function maskerFor(secrets: readonly string[]): (text: string) => string {
  const forms = secretForms(secrets);
  if (forms.length === 0) return (text) => text;
  const escaped = forms.map((form) => form.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(escaped.join("|"), "g");
  return (text) => text.replaceAll(pattern, mask);
}

/** A secret as it is, by line, in base64 at each of its three alignments, in hex and in percent encoding. Longest first. */
function secretForms(secrets: readonly string[]): string[] {
  const pieces = secrets.flatMap((secret) => [secret, ...secret.split(/\r?\n/)]);
  const forms = pieces
    .filter((piece) => piece.length >= shortestSecret)
    .flatMap((piece) => [
      piece,
      ...[0, 1, 2].map((shift) => alignedBase64(piece, shift)),
      Buffer.from(piece).toString("hex"),
      encodeURIComponent(piece),
      JSON.stringify(piece).slice(1, -1),
    ]);
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}

/** The part of a base64 text that depends on the secret alone when `shift` other bytes stand before it. */
function alignedBase64(secret: string, shift: number): string {
  const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)]);
  const text = bytes.toString("base64").replace(/=+$/, "");
  const from = shift === 0 ? 0 : shift + 1;
  const to = bytes.length % 3 === 0 ? text.length : text.length - 1;
  return text.slice(from, to);
}

/** Carriage returns would end a line for a browser and not for us. NUL has no place in a text column. */
function normalise(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\r", "\n").replaceAll("\0", "\u2400");
}
