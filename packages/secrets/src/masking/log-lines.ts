import { formsOf } from "./forms.ts";
import { createMasker, masked, merged, type Range } from "./masker.ts";

/**
 * What a program prints, on its way into a log: whole lines of UTF-8, each with a prefix in front, without secrets.
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
/** What must be known behind a cut to see that it goes through a secret: a fragment of one in its longest encoding. */
const lookAhead = 512;

export function logLines(prefix: string, secrets: readonly string[]): LogLines {
  const decoder = new TextDecoder("utf-8");
  const masker = createMasker(formsOf(secrets));
  let rest = "";
  /** So many characters at the front of the rest belong to a secret that a cut went through. */
  let cutOff = 0;
  const line = (text: string, ranges: readonly Range[]): string => {
    const all = cutOff === 0 ? ranges : merged([{ from: 0, to: Math.min(cutOff, text.length) }, ...ranges]);
    return `${prefix}${masked(text, all)}\n`;
  };
  const wholeLine = (text: string): string => {
    const told = line(text, masker.nextLine(text));
    cutOff = 0;
    return told;
  };
  const takeLines = (): string => {
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    let text = lines.map(wholeLine).join("");
    while (rest.length > longestLine + lookAhead) {
      const cut = cutPlace(rest);
      const ranges = masker.nextPart(rest);
      const before = ranges.filter(({ from }) => from < cut).map(({ from, to }) => ({ from, to: Math.min(to, cut) }));
      text += line(rest.slice(0, cut), before);
      cutOff = Math.max(0, cutOff - cut, ...ranges.filter(({ from }) => from < cut).map(({ to }) => to - cut));
      rest = rest.slice(cut);
    }
    return text;
  };
  return {
    push: (chunk) => {
      rest += normalise(decoder.decode(chunk, { stream: true }));
      return takeLines();
    },
    end: () => {
      rest += normalise(decoder.decode());
      const text = takeLines();
      const last = rest === "" ? "" : wholeLine(rest);
      rest = "";
      return text + last;
    },
  };
}

/** Not between the halves of a character. */
function cutPlace(text: string): number {
  return /[\ud800-\udbff]/.test(text[longestLine - 1] ?? "") ? longestLine - 1 : longestLine;
}

/** Carriage returns would end a line for a browser and not for us. NUL has no place in a text column. */
function normalise(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\r", "\n").replaceAll("\0", "\u2400");
}
