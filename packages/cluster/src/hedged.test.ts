import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hedged } from "./hedged.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One try, which a test answers. */
function scripted() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const ask = vi.fn((_stop: AbortSignal) => promise);
  return { ask, resolve, fail: (why: string) => reject(new Error(why)), stopped: () => ask.mock.calls[0]?.[0].aborted };
}

describe("of two tries", () => {
  test("the second does not begin where the first is answered, or fails, in time", async () => {
    const [quick, broken, second] = [scripted(), scripted(), scripted()];

    quick.resolve("answer");
    expect(await hedged(300, quick.ask, second.ask)).toBe("answer");
    broken.fail("refused");
    await expect(hedged(300, broken.ask, second.ask)).rejects.toThrow("refused");
    await vi.advanceTimersByTimeAsync(1_000);

    expect(second.ask).not.toHaveBeenCalled();
  });

  test.each(["first", "second"] as const)("the %s answers first, and the other one is stopped", async (which) => {
    const tries = { first: scripted(), second: scripted() };
    const answer = hedged(300, tries.first.ask, tries.second.ask);
    await vi.advanceTimersByTimeAsync(299);
    expect(tries.second.ask).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(tries.second.stopped()).toBe(false);

    tries[which].resolve(which);

    expect(await answer).toBe(which);
    expect([tries.first.stopped(), tries.second.stopped()]).toEqual([true, true]);
  });

  test.each(["first", "second"] as const)("the %s breaks, and the other one is waited for", async (which) => {
    const tries = { first: scripted(), second: scripted() };
    const answer = hedged(300, tries.first.ask, tries.second.ask);
    await vi.advanceTimersByTimeAsync(300);

    tries[which].fail("cut");
    await vi.advanceTimersByTimeAsync(1_000);
    tries[which === "first" ? "second" : "first"].resolve("answer");

    expect(await answer).toBe("answer");
  });

  test("both break, and the first one's error is told", async () => {
    const [first, second] = [scripted(), scripted()];
    const answer = hedged(300, first.ask, second.ask);
    const told = expect(answer).rejects.toThrow("of the first");
    await vi.advanceTimersByTimeAsync(300);

    second.fail("of the second");
    first.fail("of the first");

    await told;
  });
});
