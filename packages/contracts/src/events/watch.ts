import { z } from "zod";
import { topic } from "../envelope.ts";
import {
  DeploymentIdSchema,
  EnvironmentNameSchema,
  InstantSchema,
  RegionNameSchema,
  ServiceNameSchema,
  VersionNameSchema,
} from "../ids.ts";
import { Counts, Verdict } from "./counts.ts";

const about = {
  deployment_id: DeploymentIdSchema,
  service: ServiceNameSchema,
  environment: EnvironmentNameSchema,
  version: VersionNameSchema,
};

/** What the judge found at a look, with the numbers it used. */
export const Judgement = z.object({
  step: z.number().int(),
  weight_percent: z.number(),
  verdict: Verdict,
  /** One plain sentence for people. */
  sentence: z.string(),
  /** Canary requests still needed for a PASS at the present error counts; null when it cannot be said. */
  requests_needed: z.number().int().nullable(),
  /** Evidence of harm as an e-value: from 100 on the ramp holds, from 10,000 on it is a FAIL. Absent where nothing was compared. */
  evidence: z.number().nonnegative().optional(),
  counts: Counts,
  regions: z.record(z.string(), Counts),
  window_from: InstantSchema,
  at: InstantSchema,
});
export type Judgement = z.infer<typeof Judgement>;

export const watchTopic = topic("slipway.watch.v1", "watch", {
  armed: z.object({ ...about, epochs: z.record(z.string(), z.number().int()) }),
  judged: z.object({ ...about, epochs: z.record(z.string(), z.number().int()), judgement: Judgement }),
  metrics_missing: z.object({ ...about, since: InstantSchema, regions: z.array(RegionNameSchema) }),
  /** FAIL: the rollback-controller is shutting the fence itself. */
  failed: z.object({
    ...about,
    epochs: z.record(z.string(), z.number().int()),
    judgement: Judgement,
    first_error_at: InstantSchema.nullable(),
    /** The version was verified: the one before it is gone, nothing is shut, and its way back is a deployment of its own. */
    verified: z.boolean().optional(),
  }),
  shut_confirmed: z.object({
    ...about,
    region: RegionNameSchema,
    epoch: z.number().int(),
    seq: z.number().int(),
    at: InstantSchema,
  }),
  ended: z.object({
    ...about,
    outcome: z.string(),
    regions: z.record(z.string(), Counts),
    failed_requests: z.number().int(),
  }),
});
