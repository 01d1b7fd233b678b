import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "@slipway/testkit";
import { z } from "zod";

const Line = z.looseObject({ msg: z.string(), machine: z.string().optional(), to: z.string().optional() });
export type Line = z.infer<typeof Line>;

/** Waits until the platform has logged such a line after this call; polled often, so that what follows is done in the midst of it. */
export async function logged(dataDir: string, what: string, is: (line: Line) => boolean): Promise<void> {
  const file = join(dataDir, "logs", "platform.log");
  const from = readFileSync(file).length;
  const isThere = () =>
    readFileSync(file)
      .subarray(from)
      .toString()
      .split("\n")
      .slice(0, -1)
      .some((line) => is(Line.parse(JSON.parse(line))));
  await until(isThere, { timeoutMs: 400_000, what });
}

/** The machine has come to a phase. */
export const comesTo =
  (machine: string, phase: string) =>
  (line: Line): boolean =>
    line.msg === "phase changed" && line.machine === machine && line.to === phase;
