import fc from "fast-check";
import { expect, test } from "vitest";
import { formatPosition, parsePosition, positionAfter } from "./position.ts";

test("a position survives being written and read", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1e12 }), { minLength: 1, maxLength: 64 }), (offsets) => {
      expect(parsePosition(formatPosition(offsets), offsets.length)).toEqual(offsets);
    }),
  );
});

test("0 is the beginning of every partition", () => {
  expect(parsePosition(0, 3)).toEqual([0, 0, 0]);
});

test.each(["", "1.2", "1.2.x", "1..2", "-1.0.0", "1e3.0.0"])("%j is no position of three partitions", (position) => {
  expect(() => parsePosition(position, 3)).toThrow(RangeError);
});

test("after some events a partition continues behind its last one, the others where they were", () => {
  const events = [
    { partition: 2, offset: 7 },
    { partition: 0, offset: 1 },
    { partition: 2, offset: 8 },
  ];

  expect(positionAfter([1, 4, 7], events)).toEqual([2, 4, 9]);
});
