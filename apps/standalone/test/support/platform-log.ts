import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import { z } from "zod";
import type { Platform } from "./platform.ts";

const Line = z.looseObject({ msg: z.string(), machine: z.string().optional(), to: z.string().optional() });
type Line = z.infer<typeof Line>;

/** The log of the platforms of a folder from now on, over all that are killed and started again. */
export function logFromNow(dataDir: string) {
  const file = join(dataDir, "logs", "platform.log");
  const from = readFileSync(file).length;
  const has = (is: (line: Line) => boolean) =>
    readFileSync(file)
      .subarray(from)
      .toString()
      .split("\n")
      .slice(0, -1)
      .some((line) => is(Line.parse(JSON.parse(line))));
  return {
    /** Waits for such a line; polled often, so that what follows is done in the midst of it. Rejects with the output of a platform that ends before. */
    async line(running: Platform, what: string, is: (line: Line) => boolean): Promise<void> {
      const found = await until(() => has(is) || (running.ended() && "ended"), { timeoutMs: 400_000, what });
      if (found === "ended" && !has(is)) throw new Error(`it ended before ${what}:\n${running.output()}`);
    },
  };
}

/** The machine has come to a phase. */
export const comesTo =
  (machine: string, phase: string) =>
  (line: Line): boolean =>
    line.msg === "phase changed" && line.machine === machine && line.to === phase;
