import type { Logger } from "@slipway/sql";
import type { Options } from "../options.ts";
import type { Stack } from "../stack.ts";
import type { Narrator } from "./narrator.ts";
import type { StoryFile } from "./state.ts";
import type { WorkingCopy } from "./working-copy.ts";

/** What every step of the story works with. */
export type Telling = {
  readonly stack: Stack;
  readonly options: Options;
  readonly tell: Narrator;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly file: StoryFile;
  readonly copy: WorkingCopy;
  /** Where the load process keeps its counts. */
  readonly countsFile: string;
};

export const serviceName = "orders";

/** The story ended otherwise than it should have; the sentence says how. */
export class StoryFailed extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "StoryFailed";
  }
}

/** Looks again until it finds something, the deadline passes, or somebody stops the platform. */
export async function waitFor<T>(
  telling: Pick<Telling, "signal">,
  what: string,
  withinMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    telling.signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline)
      throw new StoryFailed(`${what} did not happen within ${Math.round(withinMs / 1_000)} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
