import type { Narrator } from "../story/narrator.ts";

const keptLines = 12;

/** A narrator that also keeps its last lines for the page. */
export type Said = Narrator & { readonly lines: readonly string[]; clear(): void };

export function said(also: Narrator, onLine: () => void): Said {
  const lines: string[] = [];
  const keep = (text: string) => {
    lines.push(text.trim());
    lines.splice(0, Math.max(0, lines.length - keptLines));
    onLine();
  };
  return {
    lines,
    clear: () => lines.splice(0),
    chapter(title) {
      also.chapter(title);
      keep(title);
    },
    line(text) {
      also.line(text);
      keep(text);
    },
    passing: (text) => also.passing(text),
  };
}
