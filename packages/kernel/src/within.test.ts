import { expect, test } from "vitest";
import { within } from "./within.ts";

const never = new Promise<string>(() => undefined);

test("what comes in time is the answer, and so is its failure", async () => {
  expect(await within(60_000, Promise.resolve("done"), () => "late")).toBe("done");
  await expect(within(60_000, Promise.reject(new Error("no")), () => "late")).rejects.toThrow("no");
});

test("what takes longer is answered by what stands in for it, or fails by it", async () => {
  expect(await within(1, never, () => "late")).toBe("late");
  await expect(
    within(1, never, () => {
      throw new Error("too late");
    }),
  ).rejects.toThrow("too late");
});
