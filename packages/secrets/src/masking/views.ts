/** A line with an encoding undone. `starts[i]` is where its i-th character began in the line, and one more for the end. */
export type View = { readonly text: string; readonly starts: readonly number[] | undefined };

/** The line as it is, and with percent encoding, escapes and the URL alphabet of base64 undone, as far as it has any. */
export function viewsOf(line: string): View[] {
  const plain: View = { text: line, starts: undefined };
  const views = [plain];
  if (/[-_]/.test(line)) views.push({ text: plainAlphabet(line), starts: undefined });
  if (/%[0-9a-f]{2}/i.test(line)) {
    views.push(rewrite(plain, percentRuns, decodePercent));
  }
  // Forms write a space as a plus.
  if (line.includes("+")) {
    views.push(rewrite({ text: line.replaceAll("+", " "), starts: undefined }, percentRuns, decodePercent));
  }
  if (line.includes("\\")) {
    const once = rewrite(plain, escapes, decodeEscape);
    views.push(once);
    // JSON inside of JSON.
    if (once.text.includes("\\")) views.push(rewrite(once, escapes, decodeEscape));
  }
  return views;
}

/** The URL alphabet of base64 as the plain one: as many characters, each in its place. */
export function plainAlphabet(line: string): string {
  return line.replaceAll("-", "+").replaceAll("_", "/");
}

/** Where in the line the characters of a view from `from` to `to` stand. */
export function placeOf({ starts }: View, from: number, to: number): { from: number; to: number } {
  return starts === undefined ? { from, to } : { from: starts[from] ?? 0, to: starts[to] ?? 0 };
}

type Piece = { readonly text: string; readonly length: number };

const percentRuns = /(?:%[0-9a-fA-F]{2})+/g;
const escapes = /\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[^ux])/g;

/** Replaces each match by pieces, which say how much of it they stand for. */
function rewrite(view: View, pattern: RegExp, decode: (match: string) => readonly Piece[]): View {
  const starts: number[] = [];
  let text = "";
  let done = 0;
  const startOf = (at: number): number => view.starts?.[at] ?? at;
  const copy = (to: number): void => {
    for (let at = done; at < to; at += 1) starts.push(startOf(at));
    text += view.text.slice(done, to);
  };
  for (const match of view.text.matchAll(pattern)) {
    copy(match.index);
    done = match.index;
    for (const piece of decode(match[0])) {
      for (let i = 0; i < piece.text.length; i += 1) starts.push(startOf(done));
      text += piece.text;
      done += piece.length;
    }
  }
  copy(view.text.length);
  starts.push(startOf(view.text.length));
  return { text, starts };
}

/** Several triplets may be one character. */
function decodePercent(run: string): Piece[] {
  const bytes = Buffer.from(run.replaceAll("%", ""), "hex");
  const pieces: Piece[] = [];
  for (const character of new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)) {
    pieces.push({ text: character, length: character === "\ufffd" ? 3 : 3 * Buffer.byteLength(character) });
  }
  return pieces;
}

const letters: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

function decodeEscape(sequence: string): Piece[] {
  const kind = sequence[1] ?? "";
  const text =
    kind === "u" || kind === "x"
      ? String.fromCharCode(Number.parseInt(sequence.slice(2), 16))
      : (letters[kind] ?? kind);
  return [{ text, length: sequence.length }];
}
