import { MetricsUnreadable } from "./types.ts";

export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

const nameChars = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const labelName = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"/y;
const labelText = /(?:[^"\\]|\\.)*/y;
const labelEnd = /"\s*(,?)\s*/y;
const valueText = /\s*(\S+)(?:\s+-?\d+)?\s*$/y;

/** Name and labels of a line. */
type Series = Omit<Sample, "value">;

/**
 * Reads page after page of one source: samples of the Prometheus text format, for the metrics of the given names only (`_bucket`,
 * `_sum`, `_count` are names of their own). Throws MetricsUnreadable at a line it cannot read and at a text that ends inside a line: a
 * number cut short would pass for a smaller one. From page to page nearly all lines differ in their value alone, so that what stands
 * before it is read once: it would else cost more than all that is made of it.
 */
export function prometheusParser(names: ReadonlySet<string>): (text: string) => Sample[] {
  /** Those of the page before, by the text that they were read from; null: not one of `names`. */
  let known = new Map<string, Series | null>();
  return (text) => {
    if (text !== "" && !text.endsWith("\n")) throw new MetricsUnreadable("the metrics page ends inside a line");
    const seen = new Map<string, Series | null>();
    const samples: Sample[] = [];
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const end = seriesEnd(line);
      const key = line.slice(0, end);
      let series = known.get(key);
      if (series === undefined) series = parseSeries(line, end, names);
      seen.set(key, series);
      if (series !== null) samples.push({ ...series, value: parseValue(line, end) });
    }
    known = seen;
    return samples;
  };
}

/** Where the value begins: no value has a brace in it. */
function seriesEnd(line: string): number {
  const brace = line.lastIndexOf("}") + 1;
  return brace > 0 ? brace : (take(nameChars, line, 0)?.[0].length ?? 0);
}

function parseSeries(line: string, end: number, names: ReadonlySet<string>): Series | null {
  const name = take(nameChars, line, 0)?.[0];
  if (name === undefined) throw unreadable(line);
  if (!names.has(name)) return null;
  const labels: Record<string, string> = {};
  const at = line[name.length] === "{" ? parseLabels(line, name.length + 1, labels) : name.length;
  if (at !== end) throw unreadable(line);
  return { name, labels };
}

function parseValue(line: string, at: number): number {
  const value = take(valueText, line, at)?.[1];
  if (value === undefined) throw unreadable(line);
  return parseNumber(value, line);
}

/** Reads labels up to the closing brace into `into`, and returns the position behind it. */
function parseLabels(line: string, start: number, into: Record<string, string>): number {
  let at = start;
  while (line[at] !== "}") {
    const name = take(labelName, line, at);
    if (name?.[1] === undefined) throw unreadable(line);
    const text = take(labelText, line, at + name[0].length);
    const end = text === null ? null : take(labelEnd, line, at + name[0].length + text[0].length);
    if (text === null || end === null) throw unreadable(line);
    into[name[1]] = text[0].replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
    at += name[0].length + text[0].length + end[0].length;
    if (end[1] === "" && line[at] !== "}") throw unreadable(line);
  }
  return at + 1;
}

function parseNumber(text: string, line: string): number {
  if (text === "+Inf" || text === "Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  if (text === "NaN") return Number.NaN;
  const value = Number(text);
  if (Number.isNaN(value)) throw unreadable(line);
  return value;
}

/** Matches a sticky pattern at one position. */
function take(pattern: RegExp, line: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(line);
}

function unreadable(line: string): MetricsUnreadable {
  return new MetricsUnreadable(`not a line of Prometheus text: ${line.slice(0, 120)}`);
}
