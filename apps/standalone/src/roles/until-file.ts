import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const withinMs = 60_000;

/** Processes start side by side: this one goes on once another one has written the file. */
export async function untilFile(path: string): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!existsSync(path)) {
    if (performance.now() > deadline) throw new Error(`${path} was not written within ${withinMs / 1_000} s`);
    await pause(20);
  }
}
