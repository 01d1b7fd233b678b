import { expect, test } from "vitest";
import { Rest } from "./rest.ts";

const sample = (requests: number) => ({ requests, errors: 0, latency: { le: [], counts: [] }, hosts: {} });
const look = (requests: number) => ({ regions: { a: { canary: sample(requests), baseline: sample(0) } } });

function looksIn(rest: Rest, ticks: number, mayRest = true): number {
  return Array.from({ length: ticks }, () => rest.skips(mayRest)).filter((skipped) => !skipped).length;
}

test("a version to which nothing has come for ten looks is looked at every third time", () => {
  const rest = new Rest();
  for (let at = 0; at < 9; at += 1) rest.seen(look(0));
  expect(looksIn(rest, 9)).toBe(9);

  rest.seen(look(0));
  expect(looksIn(rest, 9)).toBe(3);
});

test("one request, another grant or a canary ends the rest", () => {
  const rest = new Rest();
  for (let at = 0; at < 20; at += 1) rest.seen(look(0));
  expect(looksIn(rest, 9, false)).toBe(9);

  rest.seen(look(1));
  expect(looksIn(rest, 9)).toBe(9);
  for (let at = 0; at < 20; at += 1) rest.seen(look(0));
  rest.end();
  expect(looksIn(rest, 9)).toBe(9);
});
