import { DeploymentIdSchema, DigestSchema, GitShaSchema, InstantSchema } from "@slipway/contracts";
import { z } from "zod";

export const regions = ["us-east-1", "eu-west-1", "ap-southeast-1"] as const;
const perRegion = <T extends z.ZodType>(each: T) =>
  z.strictObject(Object.fromEntries(regions.map((name) => [name, each])));

const evidence = z.strictObject({
  step: z.number().int(),
  weight_percent: z.number(),
  canary_requests: z.number().int(),
  canary_errors: z.number().int(),
  baseline_requests: z.number().int(),
  baseline_errors: z.number().int(),
  verdict: z.enum(["PASS", "FAIL", "NONE"]),
});
const change = {
  deployment_id: DeploymentIdSchema,
  git_sha: GitShaSchema,
  digest: DigestSchema,
  status: z.string(),
  regions: z.array(z.enum(regions)).length(regions.length),
  weights_seen: perRegion(z.array(z.number())),
  evidence: z.array(evidence),
  failed_requests: z.number().int(),
  seconds: z.number().positive(),
};
/** What `--report` writes: every field is there, and nothing else. */
export const RunJson = z.strictObject({
  story: z.number().int().positive(),
  good: z.strictObject(change),
  bad: z.strictObject({
    ...change,
    max_weight_percent: z.number(),
    exposure: perRegion(z.strictObject({ requests: z.number().int(), to_bad_version: z.number().int() })),
    requests_to_bad_version: z.number().int(),
    first_bad_request_at: InstantSchema,
    verdict_at: InstantSchema,
    traffic_back_at: perRegion(InstantSchema),
    reason: z.string().min(1),
  }),
});
