import { expect, test } from "vitest";
import { slots } from "./slots.ts";

const never = new AbortController().signal;

test("no more run at once than there are places, in the order of asking", async () => {
  const places = slots(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;

  await Promise.all(
    [1, 2, 3, 4, 5].map((number) =>
      places.use(never, async () => {
        order.push(number);
        running += 1;
        most = Math.max(most, running);
        await Promise.resolve();
        running -= 1;
      }),
    ),
  );

  expect(most).toBe(2);
  expect(order).toEqual([1, 2, 3, 4, 5]);
});

test("a place is given back by what fails, and one that gives up waiting takes none", async () => {
  const places = slots(1);
  const controller = new AbortController();
  let release = (): void => undefined;
  const first = places.use(never, () => new Promise<void>((resolve) => (release = resolve)));
  const second = places.use(controller.signal, async () => "ran");
  controller.abort(new Error("gave up"));
  await expect(second).rejects.toThrow("gave up");
  release();
  await first;

  await expect(places.use(never, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(await places.use(never, async () => "ran")).toBe("ran");
});
