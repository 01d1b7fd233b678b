import type { Look } from "@slipway/judge";
import { addMs, type Instant } from "@slipway/kernel";
import { expect, test } from "vitest";
import { UnstoredLooks } from "./unstored-looks.ts";

const start = "2026-03-01T10:00:00.000Z" as Instant;
const after = (seconds: number) => addMs(start, seconds * 1_000);
const sample = (requests: number) => ({
  ...{ requests, errors: 1, latency: { le: [10], counts: [requests] } },
  hosts: { p1: { requests, errors: 1 } },
});
const look: Look = { regions: { a: { canary: sample(7), baseline: sample(0) } } };

/** One look each second, from the first one on. */
function seen(seconds: number, isFull: boolean): UnstoredLooks {
  const looks = new UnstoredLooks();
  for (let second = 0; second < seconds; second += 1) looks.add({ at: after(second), look }, isFull);
  return looks;
}

test("looks below 100% are stored at once, as they were", () => {
  expect(seen(2, false).take(after(2), false)).toEqual([
    { at: after(0), look },
    { at: after(1), look },
  ]);
});

test("looks at 100% wait for half a minute, all come then, and no latency with them", () => {
  const looks = seen(29, true);
  expect(looks.take(after(29.999), true)).toEqual([]);

  const stored = looks.take(after(30), true);

  expect(stored).toHaveLength(29);
  const without = { le: [], counts: [] };
  expect(stored[0]?.look.regions.a).toEqual({
    canary: { ...sample(7), latency: without },
    baseline: { ...sample(0), latency: without },
  });
  expect(looks.take(after(90), true)).toEqual([]);
});

test("once something has happened what was seen waits no longer, and what is seen then does", () => {
  const looks = seen(3, true);
  looks.hurry();

  expect(looks.take(after(3), true)).toHaveLength(3);

  looks.add({ at: after(4), look }, true);
  expect(looks.take(after(5), true)).toEqual([]);
});

test("what happens before anything was seen hurries nothing later", () => {
  const looks = new UnstoredLooks();
  looks.hurry();
  expect(looks.take(after(0), true)).toEqual([]);

  looks.add({ at: after(1), look }, true);

  expect(looks.take(after(2), true)).toEqual([]);
});

test("what could not be stored is first the next time, and waits for nothing", () => {
  const looks = seen(2, true);
  const taken = looks.take(after(2), false);
  looks.add({ at: after(3), look }, true);

  looks.giveBack(taken);

  expect(looks.take(after(4), true).map(({ at }) => at)).toEqual([after(0), after(1), after(3)]);
});
