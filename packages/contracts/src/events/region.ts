import { z } from "zod";
import { topic } from "../envelope.ts";
import { EnvironmentNameSchema, InstantSchema, RegionNameSchema, ServiceNameSchema } from "../ids.ts";

export const regionTopic = topic("slipway.region.v1", "region", {
  reached: z.object({ region: RegionNameSchema, at: InstantSchema }),
  lost: z.object({ region: RegionNameSchema, at: InstantSchema, reason: z.string() }),
  drift_seen: z.object({
    region: RegionNameSchema,
    service: ServiceNameSchema,
    environment: EnvironmentNameSchema,
    what: z.string(),
    at: InstantSchema,
  }),
});
