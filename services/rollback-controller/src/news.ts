import { DeploymentIdSchema, InstantSchema, Judgement } from "@slipway/contracts";
import { z } from "zod";

/** What a watcher has found or done, on its way into the database. */
export const News = z.discriminatedUnion("type", [
  z.object({ type: z.literal("Judged"), judgement: Judgement }),
  z.object({
    type: z.literal("Failed"),
    judgement: Judgement,
    firstErrorAt: InstantSchema.nullable(),
    /** Of the grant under which it failed. Absent: written by an earlier version. */
    epochs: z.record(z.string(), z.number().int()).optional(),
    /** The person who shut it; absent: the judge. */
    by: z.object({ name: z.string(), reason: z.string() }).optional(),
  }),
  z.object({
    type: z.literal("ShutConfirmed"),
    region: z.string(),
    epoch: z.number().int(),
    seq: z.number().int(),
    at: InstantSchema,
  }),
  z.object({ type: z.literal("MetricsMissing"), since: InstantSchema, regions: z.array(z.string()) }),
]);
export type News = z.infer<typeof News>;

/** `key`: the same at each attempt to store it, so that it is stored once. */
export const Entry = z.object({ key: z.string(), id: DeploymentIdSchema, news: News });
export type Entry = z.infer<typeof Entry>;
