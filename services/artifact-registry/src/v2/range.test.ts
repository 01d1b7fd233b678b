import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseContentRange, parseRange } from "./range.ts";

describe("a Range header", () => {
  test.each([
    [undefined, "all"],
    ["bytes=0-0", { from: 0, to: 0 }],
    ["bytes=5-", { from: 5, to: 9 }],
    ["bytes=5-100", { from: 5, to: 9 }],
    ["bytes=-3", { from: 7, to: 9 }],
    ["bytes=-100", { from: 0, to: 9 }],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=7-3", "all"],
    ["bytes=0-1,3-4", "all"],
    ["lines=1-2", "all"],
  ] as const)("%s of ten bytes is %j", (header, expected) => {
    expect(parseRange(header, 10)).toEqual(expected);
  });

  test("never leads past the end", () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(100), fc.nat(200), fc.nat(200), (noise, size, a, b) => {
        for (const header of [noise, `bytes=${a}-${b}`, `bytes=${a}-`, `bytes=-${b}`]) {
          const range = parseRange(header, size);
          if (typeof range === "string") continue;
          expect(range.from >= 0 && range.from <= range.to && range.to < size).toBe(true);
        }
      }),
    );
  });
});

test.each([
  [undefined, "none"],
  ["0-99", { from: 0, to: 99 }],
  ["bytes 5-9/*", { from: 5, to: 9 }],
  ["9-5", "malformed"],
  ["-5", "malformed"],
  ["0-99999999999999999999", "malformed"],
] as const)("a Content-Range of %s is %j", (header, expected) => {
  expect(parseContentRange(header)).toEqual(expected);
});
