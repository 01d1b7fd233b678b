import { shortestMasked } from "@slipway/contracts";
import { block, type Form, type Forms, formsOf, fragment } from "./forms.ts";
import { placeOf, plainAlphabet, type View, viewsOf } from "./views.ts";

/** Part of a line, from `from` up to `to`. */
export type Range = { readonly from: number; readonly to: number };

export type Masker = {
  /** What to mask in the next whole line, in order and without overlaps. A form that the line before broke goes on here. */
  nextLine(line: string): Range[];
  /** The same for the beginning of a line of which more is to come. What ends within it may go on. */
  nextPart(part: string): Range[];
};

const mask = "***";

/** The text with ranges replaced. */
export function masked(text: string, ranges: readonly Range[]): string {
  let result = "";
  let done = 0;
  for (const { from, to } of ranges) {
    result += text.slice(done, from) + mask;
    done = to;
  }
  return result + text.slice(done);
}

/** Replaces secrets in a text, in every form in which they are likely to be printed. */
export function maskerFor(secrets: readonly string[]): (text: string) => string {
  const forms = formsOf(secrets);
  return (text) => {
    const masker = createMasker(forms);
    return text
      .split("\n")
      .map((line) => masked(line, masker.nextLine(line)))
      .join("\n");
  };
}

/** Replaces secrets in whole lines as they come, of one stream. */
export function lineMasker(secrets: readonly string[]): (line: string) => string {
  const masker = createMasker(formsOf(secrets));
  return (line) => masked(line, masker.nextLine(line));
}

/** A form that a line ended within, and where in it. */
type Open = { readonly form: Form; readonly at: number };

/** Masks one stream of lines. */
export function createMasker(forms: Forms): Masker {
  let open: readonly Open[] = [];
  const short = forms.short.map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const pattern = short === "" ? undefined : new RegExp(short, "g");
  const marks = marksOf(forms);
  const findIn = (text: string, onOpen: (open: Open) => void): Range[] => {
    const ranges: Range[] = [];
    for (const view of viewsOf(text)) {
      // Character by character as printed, perhaps in the other alphabet: what it ends within may go on in the next line.
      const asPrinted = view.starts === undefined;
      if (pattern !== undefined) {
        for (const match of view.text.matchAll(pattern)) {
          ranges.push(placeOf(view, match.index, match.index + match[0].length));
        }
      }
      longMatches(forms, marks, view, ranges, asPrinted ? onOpen : () => undefined);
      if (asPrinted) ranges.push(...endingMatch(forms, view.text, onOpen));
    }
    return ranges;
  };
  /** Ranges of a text that follows what is open, which is over then. */
  const next = (text: string, goesOn: boolean): Range[] => {
    const opened: Open[] = [];
    const ranges = findIn(text, (found) => opened.push(found));
    const printed = [...new Set([text, plainAlphabet(text)])];
    for (const going of open.flatMap((before) => printed.flatMap((line) => goOn(before, line) ?? []))) {
      ranges.push({ from: 0, to: going.length });
      if (going.open !== undefined) opened.push(going.open);
    }
    open = goesOn ? [] : opened;
    return merged(ranges);
  };
  return { nextLine: (line) => next(line, false), nextPart: (part) => next(part, true) };
}

/** Two characters can begin a block or not: nearly every place of a line is passed over by this alone. */
function marksOf({ blocks }: Forms): Uint8Array {
  const marks = new Uint8Array(65_536);
  for (const key of blocks.keys()) marks[markOf(key, 0)] = 1;
  return marks;
}

function markOf(text: string, at: number): number {
  return (text.charCodeAt(at) * 251 + text.charCodeAt(at + 1)) & 0xffff;
}

/** Adds the stretches of `fragment` characters and more that a long form has in common with the view, block by block. */
function longMatches(forms: Forms, marks: Uint8Array, view: View, ranges: Range[], onOpen: (open: Open) => void): void {
  const { text } = view;
  for (let at = 0; at + block <= text.length; at += 1) {
    if (marks[markOf(text, at)] === 0) continue;
    for (const { form, at: inForm } of forms.blocks.get(text.slice(at, at + block)) ?? []) {
      const { from, to } = stretch(text, at, form.text, inForm);
      if (to - from < fragment) continue;
      ranges.push(placeOf(view, from, to));
      const end = inForm + (to - at);
      if (to === text.length && form.wraps && end < form.text.length) onOpen({ form, at: end });
    }
  }
}

/** How far two texts are the same around a block: up to the blocks beside it, which are found by themselves. */
function stretch(text: string, at: number, form: string, inForm: number): Range {
  let back = 0;
  while (back < Math.min(block, at, inForm) && text[at - back - 1] === form[inForm - back - 1]) back += 1;
  const most = Math.min(2 * block, text.length - at, form.length - inForm);
  let on = block;
  while (on < most && text[at + on] === form[inForm + on]) on += 1;
  return { from: at - back, to: at + on };
}

/** A wrapping form that has only just begun when the line ends. */
function endingMatch({ beginnings }: Forms, line: string, onOpen: (open: Open) => void): Range[] {
  const ranges: Range[] = [];
  for (let length = Math.min(fragment - 1, line.length); length >= shortestMasked; length -= 1) {
    const from = line.length - length;
    for (const form of beginnings.get(line.slice(from, from + shortestMasked)) ?? []) {
      if (form.text.length <= length || !form.text.startsWith(line.slice(from))) continue;
      ranges.push({ from, to: line.length });
      onOpen({ form, at: length });
    }
  }
  return ranges;
}

/** The part of the next line that a broken form goes on with: all of the line, or up to the form's end. */
function goOn({ form, at }: Open, line: string): { length: number; open?: Open } | undefined {
  let next = at;
  while (form.text[next] === "\n" || form.text[next] === "\r") next += 1;
  let length = 0;
  while (length < line.length && next + length < form.text.length && line[length] === form.text[next + length]) {
    length += 1;
  }
  const end = next + length;
  if (end === form.text.length) return length === 0 ? undefined : { length };
  return length === line.length ? { length, open: { form, at: end } } : undefined;
}

/** In order, without overlaps. */
export function merged(ranges: readonly Range[]): Range[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    if (to <= from) continue;
    const last = result.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}
