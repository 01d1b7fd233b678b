import fc from "fast-check";
import { expect, test } from "vitest";
import { commitOf, resume } from "./progress.ts";

test("law: whoever resumes does everything that was not done, and little else", () => {
  const pending = fc.uniqueArray(fc.integer({ min: 0, max: 9_999 }), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 10_000, max: 20_000 }), pending, (position, offsets) => {
      const { offset, note } = commitOf(position, offsets);
      const { isDone } = resume(offset, note);
      expect(offset).toBe(offsets.length === 0 ? position : Math.min(...offsets));
      for (const one of offsets) expect(isDone(one)).toBe(false);
      for (let one = 0; one < position; one += 97) expect(isDone(one)).toBe(!offsets.includes(one));
      expect(isDone(position)).toBe(false);
    }),
  );
});

test("a note is never longer than Kafka takes; what it leaves out is done again", () => {
  const offsets = Array.from({ length: 5_000 }, (_, n) => n * 7);
  const { offset, note } = commitOf(40_000, offsets);
  const { isDone } = resume(offset, note);

  expect(note.length).toBeLessThan(4_000);
  expect(offsets.some(isDone)).toBe(false);
  expect(isDone(1)).toBe(true);
  expect(isDone(39_999)).toBe(false);
});

test.each([null, "", "by somebody else", "1", "1 x", "2 5 0", "1 5 y"])("the note %j says nothing", (note) => {
  const { isDone } = resume(5, note);
  expect([4, 5, 6].map(isDone)).toEqual([true, false, false]);
});
