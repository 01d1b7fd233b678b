import { ProblemError } from "@slipway/contracts";
import type { GitSha } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import type { Options } from "../options.ts";
import type { Stack } from "../stack.ts";
import type { Narrator } from "./narrator.ts";
import type { Change, StoryFile } from "./state.ts";
import type { WorkingCopy } from "./working-copy.ts";

/** What bringing a change to prod works with. */
export type Work = {
  readonly stack: Stack;
  readonly options: Options;
  readonly tell: Narrator;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly copy: WorkingCopy;
  /** Where the load process keeps its counts. */
  readonly countsFile: string;
};

/** What every step of the story works with. */
export type Telling = Work & { readonly file: StoryFile };

/** A change on its way to prod: what is known of it so far, kept so that a killed platform goes on where it was. */
export type OnItsWay = {
  readonly record: Change;
  save(): void;
  /** Makes its commit, or finds the one that it made. */
  commit(): Promise<GitSha>;
  /** The key under which its deployment is asked for, once. */
  readonly key: string;
  /** The first version of the service: nothing serves yet. */
  readonly initial: boolean;
};

export const serviceName = "orders";

/** The story ended otherwise than it should have; the sentence says how. */
export class StoryFailed extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "StoryFailed";
  }
}

/** Undefined where the API does not answer now: a database that is being started again is not the end of the story. */
export async function unlessAway<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ProblemError && error.code === "unavailable") return undefined;
    throw error;
  }
}

/** Looks again until it finds something, the deadline passes, or somebody stops the platform. */
export async function waitFor<T>(
  work: Pick<Work, "signal">,
  what: string,
  withinMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    work.signal.throwIfAborted();
    const found = await unlessAway(look());
    if (found !== undefined) return found;
    if (performance.now() > deadline)
      throw new StoryFailed(`${what} did not happen within ${Math.round(withinMs / 1_000)} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
