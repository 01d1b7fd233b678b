import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { DeploymentIdSchema, DigestSchema, GitShaSchema } from "@slipway/contracts";
import { z } from "zod";
import { LoadCounts } from "./load-counts.ts";

/** One change on its way: what is known of it so far. Each field is written once, before the next step begins. */
export const Change = z.object({
  git_sha: GitShaSchema.optional(),
  digest: DigestSchema.optional(),
  deployment_id: DeploymentIdSchema.optional(),
  /** The load's counts when the deployment was asked for, and when it had ended. */
  before: LoadCounts.optional(),
  after: LoadCounts.optional(),
  began_at: z.string().optional(),
  ended_at: z.string().optional(),
  /** Largest weights that the proxies said they served, by region. */
  weights: z.record(z.string(), z.array(z.number())).optional(),
});
export type Change = z.infer<typeof Change>;

const StoryState = z.object({
  number: z.number().int().positive(),
  finished: z.boolean(),
  /** True once a version serves: later stories start from it. */
  served: z.boolean(),
  first: Change,
  good: Change,
  bad: Change,
});
export type StoryState = z.infer<typeof StoryState>;
export type ChangeName = "first" | "good" | "bad";

export type StoryFile = { state: StoryState; save(): void };

/** The story that is under way, or the next one. Saved after every step, so that a killed platform goes on where it was. */
export function openStory(file: string): StoryFile {
  const last = existsSync(file) ? StoryState.parse(JSON.parse(readFileSync(file, "utf8"))) : undefined;
  const state: StoryState =
    last === undefined || last.finished
      ? {
          number: (last?.number ?? 0) + 1,
          finished: false,
          served: last?.served ?? false,
          first: {},
          good: {},
          bad: {},
        }
      : last;
  return {
    state,
    save() {
      writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600, flush: true });
      renameSync(`${file}.new`, file);
    },
  };
}
