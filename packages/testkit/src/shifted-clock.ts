import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * The environment of a process whose clock is off by so many milliseconds. Its monotonic time is that of everybody. With `word` only a process
 * that has it among its arguments is off: others pass the environment on.
 */
export function shiftedClock(ms: number, word = ""): Readonly<Record<string, string>> {
  const module = pathToFileURL(join(import.meta.dirname, "clock-shift-process.ts"));
  return { NODE_OPTIONS: `--import ${module.href}`, SLIPWAY_TEST_CLOCK: `${word}=${ms}` };
}
