import { describe, expect, test } from "vitest";
import { exposureIsConsistent } from "./report.ts";

describe("whether a share of the requests is what the weight gives", () => {
  test("holds for the expected share and around it", () => {
    for (const hits of [50, 40, 65]) expect(exposureIsConsistent(hits, 1_000, 5)).toBe(true);
  });

  test("fails for a share that chance gives less than once in a thousand", () => {
    for (const hits of [0, 20, 85, 1_000]) expect(exposureIsConsistent(hits, 1_000, 5)).toBe(false);
  });

  test("holds where there was nothing to share", () => {
    expect(exposureIsConsistent(0, 0, 5)).toBe(true);
  });

  test("fails for 25% given as 5%, at a few hundred requests", () => {
    expect(exposureIsConsistent(75, 300, 5)).toBe(false);
  });
});
