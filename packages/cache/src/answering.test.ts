import { expect, test } from "vitest";
import { answering } from "./answering.ts";
import { memoryCache } from "./memory.ts";
import { noCache } from "./none.ts";

/** A source that answers when it is told to. */
function source() {
  const asked: { answer(value: number): void; fail(error: Error): void }[] = [];
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      asked.push({ answer: resolve, fail: reject });
    });
  return { asked, ask, read: Number };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("who asks the same at the same time waits for one answer, and who asks later finds it", async () => {
  const answer = answering(memoryCache({ keepMs: 60_000 }));
  const { asked, ...asking } = source();

  const both = Promise.all([answer("D-1", "status", asking), answer("D-1", "status", asking)]);
  const other = answer("D-1", "view", asking);
  await turn();
  expect(asked).toHaveLength(2);
  asked[0]?.answer(1);
  asked[1]?.answer(2);

  expect(await both).toEqual([1, 1]);
  expect(await other).toBe(2);
  expect(await answer("D-1", "status", asking)).toBe(1);
  expect(asked).toHaveLength(2);
});

test("who comes after a change does not wait for what was begun before it, which is not kept either", async () => {
  const cache = memoryCache({ keepMs: 60_000 });
  const answer = answering(cache);
  const { asked, ...asking } = source();
  const before = answer("D-1", "status", asking);
  await turn();

  await cache.forget("D-1");
  const after = answer("D-1", "status", asking);
  await turn();
  asked[1]?.answer(2);
  expect(await after).toBe(2);
  asked[0]?.answer(1);

  expect(await before).toBe(1);
  expect(await answer("D-1", "status", asking)).toBe(2);
});

test("an error is told to those who waited for it, and the next one asks anew", async () => {
  const answer = answering(memoryCache({ keepMs: 60_000 }));
  const { asked, ...asking } = source();
  const both = Promise.allSettled([answer("D-1", "status", asking), answer("D-1", "status", asking)]);
  await turn();
  asked[0]?.fail(new Error("away"));
  expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);

  const next = answer("D-1", "status", asking);
  await turn();
  asked[1]?.answer(3);
  expect(await next).toBe(3);
});

test("what cannot be read, or is not worth keeping, is asked again", async () => {
  const cache = memoryCache({ keepMs: 60_000 });
  const answer = answering(cache);
  let asked = 0;
  const ask = async () => {
    asked += 1;
    return asked;
  };

  for (const expected of [1, 2]) expect(await answer("D-1", "status", { read: () => undefined, ask })).toBe(expected);
  for (const expected of [3, 4])
    expect(await answer("D-2", "status", { read: Number, ask, worthKeeping: () => false })).toBe(expected);
});

test("without a cache everybody asks alone", async () => {
  const answer = answering(noCache);
  const { asked, ...asking } = source();

  const both = Promise.all([answer("D-1", "status", asking), answer("D-1", "status", asking)]);
  await turn();
  asked[0]?.answer(1);
  asked[1]?.answer(2);

  expect(await both).toEqual([1, 2]);
});
