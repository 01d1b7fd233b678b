import { expect, it } from "vitest";
import { pullDelayMs, restartDelayMs } from "./back-off.ts";

it("restarts at once the first time, then after 1 s, twice as long each time, up to a minute", () => {
  expect([1, 2, 3, 4, 5, 8, 9, 60].map(restartDelayMs)).toEqual([
    0, 1_000, 2_000, 4_000, 8_000, 60_000, 60_000, 60_000,
  ]);
});

it("asks a registry again after half a second, twice as long each time, up to half a minute", () => {
  expect([1, 2, 3, 20].map(pullDelayMs)).toEqual([500, 1_000, 2_000, 30_000]);
});
