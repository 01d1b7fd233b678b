import { z } from "zod";
import { topic } from "../envelope.ts";
import {
  DeploymentIdSchema,
  DigestSchema,
  EnvironmentNameSchema,
  GitShaSchema,
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
  digest: DigestSchema,
  git_sha: GitShaSchema,
  regions: z.array(RegionNameSchema),
};
const ended = z.object({ ...about, reason: z.string() });

export const deploymentTopic = topic("slipway.deployment.v1", "deployment", {
  accepted: z.object({
    ...about,
    strategy: z.string(),
    requested_by: z.string(),
    baselines: z.record(z.string(), VersionNameSchema.nullable()),
  }),
  queued: z.object({ ...about, behind: z.string() }),
  granted: z.object({ ...about, epochs: z.record(z.string(), z.number().int()) }),
  /** Every region's fence is open; the baselines are what serves there now, whatever served when it was accepted. */
  opened: z.object({ ...about, baselines: z.record(z.string(), VersionNameSchema.nullable()) }),
  step_started: z.object({ ...about, step: z.number().int(), weight_percent: z.number() }),
  /** A gate was passed (or failed): what was known when it was. */
  gate: z.object({
    ...about,
    step: z.number().int(),
    weight_percent: z.number(),
    verdict: Verdict,
    counts: Counts,
    sentence: z.string(),
  }),
  held: z.object({ ...about, reason: z.string() }),
  approval_requested: z.object({ ...about, reason: z.string() }),
  /** A named person stood for it: what waited for that waits no more. */
  approved: z.object({ ...about, by: z.string(), reason: z.string() }),
  /** A person let what was held go on. */
  resumed: z.object({ ...about, by: z.string() }),
  /** 100% everywhere and settled. */
  succeeded: z.object({ ...about, created_at: z.string() }),
  verified: z.object(about),
  restoring: z.object({ ...about, reason: z.string(), by: z.string() }),
  /** Weight 0 has stood in a region since then, and its mesh has not shown that it serves that. `from_percent`: what it served before. */
  mesh_behind: z.object({ ...about, region: RegionNameSchema, since: InstantSchema, from_percent: z.number() }),
  /** Its mesh follows after all: the version is sent nothing there any more, and its pods are gone. */
  mesh_followed: z.object({ ...about, region: RegionNameSchema, since: InstantSchema }),
  /**
   * What takes the version back could not be written in a region since then: its API is away, or refuses it. `weight_percent`: what the version had there, and may
   * go on having. `instead`: of the way back to a version, which other one it is that has that weight there.
   */
  region_away: z.object({
    ...{ ...about, region: RegionNameSchema, since: InstantSchema, weight_percent: z.number() },
    instead: VersionNameSchema.optional(),
  }),
  /** It was written there after all. `instead`: as above. */
  region_back: z.object({
    ...{ ...about, region: RegionNameSchema, since: InstantSchema },
    instead: VersionNameSchema.optional(),
  }),
  /**
   * The version was found bad, by the judge or by a person, and this deployment does not take it back itself: it has been verified, or has nothing to return to.
   * `way_back`: the deployment that leads away from it; null where none does, and `no_way_back` says why.
   */
  found_bad: z.object({
    ...{ ...about, reason: z.string(), by: z.string() },
    ...{ way_back: DeploymentIdSchema.nullable(), no_way_back: z.string().optional() },
  }),
  rolled_back: ended,
  failed: ended,
  cancelled: ended,
  superseded: ended,
});
