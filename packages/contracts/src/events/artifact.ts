import { z } from "zod";
import { topic } from "../envelope.ts";
import { DigestSchema, EnvironmentNameSchema, GitShaSchema, PromotionIdSchema, ServiceNameSchema } from "../ids.ts";

const about = { digest: DigestSchema, service: ServiceNameSchema, git_sha: GitShaSchema };
const promotion = {
  ...about,
  promotion_id: PromotionIdSchema,
  from: EnvironmentNameSchema,
  to: EnvironmentNameSchema,
  requested_by: z.string(),
};

export const artifactTopic = topic("slipway.artifact.v1", "artifact", {
  registered: z.object({ ...about, registered_by: z.string() }),
  promotion_requested: z.object({ ...promotion, approvals_needed: z.number().int() }),
  promoted: z.object({ ...promotion, approved_by: z.array(z.string()) }),
  rejected: z.object({ ...promotion, reason: z.string() }),
  marked_bad: z.object({ ...about, environment: EnvironmentNameSchema, reason: z.string() }),
  collected: z.object(about),
});
