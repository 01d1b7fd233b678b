import { expect, test } from "vitest";
import { parseArray, parseInt8, parseTimestamp } from "./column-types.ts";

test("a bigint is a number, and one beyond 2^53 is an error instead of a wrong number", () => {
  expect(parseInt8("9007199254740991")).toBe(9_007_199_254_740_991);
  expect(() => parseInt8("9007199254740993")).toThrow(RangeError);
});

test.each([
  ["2026-01-05 09:00:00+00", "2026-01-05T09:00:00.000Z"],
  ["2026-01-05 09:00:00.1+00", "2026-01-05T09:00:00.100Z"],
  ["2026-01-05 09:00:00.123999+00", "2026-01-05T09:00:00.123Z"],
  ["2026-01-05 09:00:00.5+05:30", "2026-01-05T03:30:00.500Z"],
])("timestamptz %s is the instant %s", (text, instant) => {
  expect(parseTimestamp(text)).toBe(instant);
});

test("an infinite time is refused", () => {
  expect(() => parseTimestamp("infinity")).toThrow(RangeError);
});

test("arrays keep their nulls", () => {
  expect(parseArray("{1,NULL,3}", parseInt8)).toEqual([1, null, 3]);
  expect(parseArray("{}", parseInt8)).toEqual([]);
  expect(parseArray('{"2026-01-05 09:00:00+00"}', parseTimestamp)).toEqual(["2026-01-05T09:00:00.000Z"]);
});
