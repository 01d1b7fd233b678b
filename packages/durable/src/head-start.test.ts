import { expect, test } from "vitest";
import { createHeadStart } from "./head-start.ts";

test("nothing waits where nothing urgent is under way, and what hangs holds up nobody after its head start", () => {
  const headStart = createHeadStart();

  expect(headStart.leftMs(undefined, 1_000)).toBe(0);
  expect(headStart.leftMs(1_000, 1_030)).toBe(70);
  expect(headStart.leftMs(1_000, 1_100)).toBe(0);
  expect(headStart.leftMs(1_000, 60_000)).toBe(0);
});

test("urgent work that never ends lets the others come again and again", () => {
  const headStart = createHeadStart();
  const turns: number[] = [];

  for (let now = 0; now <= 1_000; now += 10) if (headStart.leftMs(now, now) === 0) turns.push(now);

  expect(turns).toEqual([200, 410, 620, 830]);
});
