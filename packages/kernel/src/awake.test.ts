import { expect, test } from "vitest";
import { awake } from "./awake.ts";

function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Fails as `fetch` does. */
const answering = (afterMs: number) => (signal: AbortSignal) =>
  new Promise<string>((resolve, reject) => {
    const timer = setTimeout(resolve, afterMs, "answer");
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

test("time in which this process is held up does not count, so that what came meanwhile is read", async () => {
  const answer = awake(200, answering(300));
  busy(400);

  expect(await answer).toBe("answer");
});

test("what does not come in time ends as by a time-out", async () => {
  await expect(awake(1, answering(60_000))).rejects.toMatchObject({ name: "TimeoutError" });
});
