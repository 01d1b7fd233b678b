import { expect, test } from "vitest";
import { whyNotReady } from "./not-ready.ts";

test("pods that fail alike are told once, and how many they are", () => {
  const pods = ["shop-1: Error, exit code 3", "shop-2: Error, exit code 3"];

  expect(whyNotReady(pods, { ready: 0, wanted: 2 })).toBe("2 of 2 pods are not ready: Error, exit code 3");
});

test("of several reasons the one that most pods have is told", () => {
  const pods = ["shop-1: Pending", "shop-2: Error, exit code 3", "shop-3: Error, exit code 3"];

  expect(whyNotReady(pods, { ready: 1, wanted: 4 })).toBe("3 of 4 pods are not ready: Error, exit code 3");
});

test("what a region says over many lines is one sentence of a length that people read", () => {
  const said = whyNotReady([`shop-1: ErrImagePull, no answer\n\tat connect\n${"x".repeat(5_000)}`], {
    ready: 0,
    wanted: 1,
  });

  expect(said).toMatch(/^1 of 1 pods is not ready: ErrImagePull, no answer at connect x+…$/);
  expect(said.length).toBeLessThan(350);
});

test("what the region refuses to make is told in its words", () => {
  const said = 'FailedCreate: pods "shop-1" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2';

  expect(whyNotReady([said], { ready: 2, wanted: 3 })).toBe(`1 of 3 pods is not ready: ${said}`);
});

test("without a word of any pod the count is told", () => {
  expect(whyNotReady([], { ready: 1, wanted: 3 })).toBe("2 of 3 pods are not ready");
});
