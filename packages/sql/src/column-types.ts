import { type Instant, instant } from "@slipway/kernel";
import pg from "pg";

const oid = { int8: 20, timestamptz: 1184, int8Array: 1016, timestamptzArray: 1185 } as const;

/** int8 as a number: our counters stay below 2^53, and one that does not is a bug to be seen at once. */
export function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a JavaScript number`);
  return value;
}

/** timestamptz of a UTC session as an Instant; microseconds are cut off, so order is kept. */
export function parseTimestamp(text: string): Instant {
  const fast = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text);
  if (fast !== null) return `${fast[1]}T${fast[2]}.${(fast[3] ?? "").padEnd(3, "0").slice(0, 3)}Z` as Instant;
  return instant(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"));
}

/** The elements of a one-dimensional array in Postgres' text form. Enough for numbers and times, which hold no commas. */
export function parseArray<T>(text: string, parse: (element: string) => T): (T | null)[] {
  const inside = text.slice(1, -1);
  if (inside === "") return [];
  return inside.split(",").map((element) => (element === "NULL" ? null : parse(element.replaceAll('"', ""))));
}

const parsers = new Map<number, (text: string) => unknown>([
  [oid.int8, parseInt8],
  [oid.timestamptz, parseTimestamp],
  [oid.int8Array, (text) => parseArray(text, parseInt8)],
  [oid.timestamptzArray, (text) => parseArray(text, parseTimestamp)],
]);

/** Parsers of one connection; the process-wide ones of `pg` stay as they are. */
export const columnTypes: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format: "text" | "binary") =>
    (format === "text" ? parsers.get(id) : undefined) ??
    pg.types.getTypeParser(id, format)) as pg.CustomTypesConfig["getTypeParser"],
};
