import { expect, test } from "vitest";
import { backOffMs } from "./back-off.ts";

test("the first attempt comes again soon, later ones never later than half a minute", () => {
  expect([1, 2, 3, 9, 10, 1_000_000].map(backOffMs)).toEqual([100, 200, 400, 25_600, 30_000, 30_000]);
});
