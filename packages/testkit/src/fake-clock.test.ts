import { expect, test } from "vitest";
import { fakeClock } from "./fake-clock.ts";
import { seededRandom } from "./seeded-random.ts";

test("time moves when told, and only forward", () => {
  const clock = fakeClock();
  clock.advance(90_000);

  expect(clock.now()).toBe("2026-01-05T09:01:30.000Z");
  expect(clock.monotonicMs()).toBe(90_000);
  expect(() => clock.advance(-1)).toThrow(RangeError);
});

test("a seed gives the same numbers again, spread over the whole range", () => {
  const [one, again, other] = [seededRandom(7), seededRandom(7), seededRandom(8)];
  const draw = (random: ReturnType<typeof seededRandom>): number[] =>
    Array.from({ length: 2_000 }, () => random.next());
  const numbers = draw(one);

  expect(draw(again)).toEqual(numbers);
  expect(draw(other)).not.toEqual(numbers);
  expect(Math.min(...numbers)).toBeLessThan(0.01);
  expect(Math.max(...numbers)).toBeGreaterThan(0.99);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(() => one.pick([])).toThrow(RangeError);
});
