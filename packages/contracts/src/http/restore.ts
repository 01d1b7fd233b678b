import { z } from "zod";
import {
  DeploymentIdSchema,
  EnvironmentNameSchema,
  InstantSchema,
  RegionNameSchema,
  ServiceNameSchema,
} from "../ids.ts";
import { Reason } from "./common.ts";
import { anyRole, endpoint } from "./endpoint.ts";

/** One target whose region carries a newer grant than the database knows. */
export const RestoreDifference = z.object({
  /** `orders/prod/us-east-1@9/4/open/D-12`: names the target and exactly what its region carried. */
  id: z.string(),
  service: ServiceNameSchema,
  environment: EnvironmentNameSchema,
  region: RegionNameSchema,
  epoch_here: z.number().int(),
  epoch_there: z.number().int(),
  /** The deployment that the region was last written by. */
  holder_there: z.string(),
  live_here: z.string().nullable(),
  /** Null where nothing serves, or the region does not answer. */
  live_there: z.string().nullable(),
  weights: z.record(z.string(), z.number()),
  since: InstantSchema,
});
export type RestoreDifference = z.infer<typeof RestoreDifference>;

const unread = z.array(z.object({ region: RegionNameSchema, reason: z.string() }));

export const getRestore = endpoint({
  id: "getRestore",
  method: "GET",
  path: "/api/v1/restore",
  summary: "Where regions have moved on beyond the database: these targets are only observed",
  roles: anyRole,
  status: 200,
  response: z.object({ observing: z.boolean(), differences: z.array(RestoreDifference), unread }),
});

export const acceptRestore = endpoint({
  id: "acceptRestore",
  method: "POST",
  path: "/api/v1/restore/accept",
  summary: "Accept what the regions show: deployments of the lost time are void, new grants begin above theirs",
  roles: ["admin"],
  body: z.strictObject({
    /** The ids of the differences that the caller has seen: anything else is refused. */
    expected: z.array(z.string()).min(1).max(100_000),
    reason: Reason.optional(),
  }),
  status: 200,
  response: z.object({ accepted: z.array(RestoreDifference), voided: z.array(DeploymentIdSchema), unread }),
});
