import { once } from "node:events";
import { expect, test } from "vitest";
import { awakeFor } from "./awake-for.ts";

function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("time in which this process is held up does not count, so that what came meanwhile is read", async () => {
  const signal = awakeFor(200);
  const answer = new Promise<string>((resolve) => setTimeout(resolve, 10, "answer"));
  busy(400);
  const late = once(signal, "abort").then(() => "late");

  expect(await Promise.race([answer, late])).toBe("answer");
  expect(signal.aborted).toBe(false);
});

test("it ends as a time-out does", async () => {
  // Nothing else keeps this worker's loop alive: the timer of the signal must not either.
  const alive = setInterval(() => undefined, 1_000);
  const signal = awakeFor(1);
  await once(signal, "abort");
  clearInterval(alive);

  expect(signal.reason).toMatchObject({ name: "TimeoutError" });
});
