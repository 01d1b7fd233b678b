import { expect, test } from "vitest";
import { once } from "./once.ts";

/** Makes 1, 2, 3, …; each may be told to be gone. */
function counted() {
  let made = 0;
  const gone = new Set<number>();
  return { make: async () => ++made, gone, isThere: async (one: number) => !gone.has(one) };
}

test("a thing is made once, however many ask at the same time", async () => {
  const { make, isThere } = counted();
  const asked = once(make, isThere);

  expect(await Promise.all([asked(), asked(), asked()])).toEqual([1, 1, 1]);
});

test("what is not there any more is made again, once", async () => {
  const { make, gone, isThere } = counted();
  const asked = once(make, isThere);
  await asked();

  gone.add(1);

  expect(await Promise.all([asked(), asked()])).toEqual([2, 2]);
  expect(await asked()).toBe(2);
});

test("a failure is told to who asked, and the next one tries again", async () => {
  let tries = 0;
  const asked = once(async () => {
    tries += 1;
    if (tries === 1) throw new Error("the disk is full");
    return tries;
  });

  await expect(asked()).rejects.toThrow("the disk is full");

  expect(await asked()).toBe(2);
});
