import { z } from "zod";
import { Counts } from "../events/counts.ts";
import { Judgement } from "../events/watch.ts";
import {
  DeploymentIdSchema,
  EnvironmentNameSchema,
  InstantSchema,
  RegionNameSchema,
  ServiceNameSchema,
  VersionNameSchema,
} from "../ids.ts";
import { Reason } from "./common.ts";
import { anyRole, endpoint } from "./endpoint.ts";

/**
 * What the rollback-controller is asked to watch. The answer is its acknowledgement: no weight is raised without it.
 * `mode`: `canary` compares with the baseline; `initial` has none and judges absolutely; `live` is the watch after 100%, while the
 * version before it still stands; `verified` the rest of it, when there is none to shut to: a FAIL is only told.
 */
export const WatchRequest = z.strictObject({
  service: ServiceNameSchema,
  environment: EnvironmentNameSchema,
  version: VersionNameSchema,
  mode: z.enum(["canary", "initial", "live", "verified"]),
  baselines: z.record(RegionNameSchema as unknown as z.ZodType<string, string>, VersionNameSchema.nullable()),
  epochs: z.record(RegionNameSchema as unknown as z.ZodType<string, string>, z.number().int().positive()),
  step: z.number().int().nonnegative(),
  weight_percent: z.number().min(0).max(100),
  /** When the watch of a verified version is over. */
  until: InstantSchema.optional(),
  /** When every region came to serve the weight: what speaks for PASS is gathered from here on, and its judgement carries this moment again. */
  window_from: InstantSchema.optional(),
});
export type WatchRequest = z.infer<typeof WatchRequest>;

export const WatchView = z.object({
  deployment_id: DeploymentIdSchema,
  service: ServiceNameSchema,
  environment: EnvironmentNameSchema,
  version: VersionNameSchema,
  mode: z.enum(["canary", "initial", "live", "verified"]),
  state: z.enum(["watching", "failed", "ended"]),
  step: z.number().int(),
  epochs: z.record(z.string(), z.number().int()),
  judgement: Judgement.nullable(),
  regions: z.record(
    z.string(),
    z.object({
      counts: Counts,
      /** What the mesh says it serves of the watched version, and who said so. Null when it cannot be read. */
      served_weight: z
        .object({ percent: z.number(), source: z.enum(["gauge", "first_request", "elapsed"]), at: InstantSchema })
        .nullable(),
      last_look_at: InstantSchema.nullable(),
      shut_at: InstantSchema.nullable(),
    }),
  ),
  last_look_at: InstantSchema.nullable(),
  /** When this was answered, by the clock that all times of it are of. */
  as_of: InstantSchema.optional(),
});
export type WatchView = z.infer<typeof WatchView>;

const byId = z.object({ id: DeploymentIdSchema });

export const putWatch = endpoint({
  id: "putWatch",
  method: "PUT",
  path: "/api/v1/watches/:id",
  summary: "Arm a watch or move it to the next step; the answer is the acknowledgement",
  roles: ["service"],
  params: byId,
  body: WatchRequest,
  status: 200,
  response: WatchView,
});

export const getWatch = endpoint({
  id: "getWatch",
  method: "GET",
  path: "/api/v1/watches/:id",
  summary: "One watch with its latest judgement",
  roles: anyRole,
  params: byId,
  status: 200,
  response: WatchView,
});

export const listWatches = endpoint({
  id: "listWatches",
  method: "GET",
  path: "/api/v1/watches",
  summary: "Watches that are not ended, and what could not be stored of them",
  roles: anyRole,
  status: 200,
  response: z.object({
    watches: z.array(WatchView),
    /** Entries of the controller's journal that the database answered but could not take: for a person to look at. */
    set_aside: z.array(z.object({ at: InstantSchema, reason: z.string(), entry: z.string() })),
  }),
});

export const shutWatch = endpoint({
  id: "shutWatch",
  method: "POST",
  path: "/api/v1/watches/:id/shut",
  summary: "Take the version out of traffic now, without the orchestrator",
  roles: ["deployer", "approver"],
  params: byId,
  body: z.strictObject({ reason: Reason.optional() }),
  emptyBody: true,
  status: 202,
  response: WatchView,
});
