import { z } from "zod";
import { topic } from "../envelope.ts";
import { BuildIdSchema, DigestSchema, GitShaSchema, ServiceNameSchema } from "../ids.ts";

const about = { build_id: BuildIdSchema, service: ServiceNameSchema, git_sha: GitShaSchema };

export const buildTopic = topic("slipway.build.v1", "build", {
  queued: z.object({ ...about, ref: z.string(), author: z.string(), committed_at: z.string() }),
  started: z.object(about),
  step_finished: z.object({
    ...about,
    step: z.string(),
    outcome: z.enum(["succeeded", "failed", "timed_out", "cancelled"]),
    exit_code: z.number().int().nullable(),
    ms: z.number(),
  }),
  /** `ref` is absent in events from before it was told. */
  succeeded: z.object({ ...about, ref: z.string().optional(), digest: DigestSchema, ms: z.number() }),
  failed: z.object({ ...about, reason: z.string(), step: z.string().nullable(), ms: z.number() }),
  cancelled: z.object({ ...about, reason: z.string() }),
});
