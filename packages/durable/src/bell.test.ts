import { expect, test } from "vitest";
import { createBell } from "./bell.ts";

test("a ring wakes who listens, and one between mute and heard is not lost", async () => {
  const bell = createBell();
  bell.mute();
  const listening = bell.heard(60_000);
  bell.ring();
  await listening;

  bell.mute();
  bell.ring();
  await bell.heard(60_000);
});

test("without a ring the time ends the wait", async () => {
  const bell = createBell();
  const before = performance.now();

  await bell.heard(20);

  expect(performance.now() - before).toBeGreaterThanOrEqual(15);
});
