import { z } from "zod";
import {
  DeploymentIdSchema,
  EnvironmentNameSchema,
  InstantSchema,
  ServiceNameSchema,
  VersionNameSchema,
} from "../ids.ts";
import { wholeParameter } from "../whole-number.ts";
import { Page } from "./common.ts";
import { anyRole, endpoint } from "./endpoint.ts";

const scope = z.object({
  service: ServiceNameSchema.optional(),
  environment: EnvironmentNameSchema.optional(),
  days: wholeParameter(1, 365).prefault(30),
});

export const getDora = endpoint({
  id: "getDora",
  method: "GET",
  path: "/api/v1/reports/dora",
  summary: "The four DORA figures of a period",
  roles: anyRole,
  query: scope,
  status: 200,
  response: z.object({
    days: z.number().int(),
    deployments: z.number().int(),
    deployments_per_day: z.number(),
    /** From the commit to 100%, median; null without a successful deployment. */
    lead_time_seconds: z.number().nullable(),
    change_failure_percent: z.number().nullable(),
    /** From the first step of the failed deployment to traffic restored, median. */
    recovery_seconds: z.number().nullable(),
  }),
});

export const getBadDeployments = endpoint({
  id: "getBadDeployments",
  method: "GET",
  path: "/api/v1/reports/bad-deployments",
  summary: "What each bad deployment cost in failed or slow requests",
  roles: anyRole,
  query: scope,
  status: 200,
  response: z.object({
    bad_deployments: z.array(
      z.object({
        deployment_id: DeploymentIdSchema,
        service: ServiceNameSchema,
        environment: EnvironmentNameSchema,
        version: VersionNameSchema,
        failed_requests: z.number().int().nullable(),
        /** Over the baseline's limit, where it was caught for slowness; null else. */
        slow_requests: z.number().int().nullable(),
        max_weight_percent: z.number().nullable(),
        reason: z.string(),
        seconds: z.number().nullable(),
        ended_at: InstantSchema,
      }),
    ),
  }),
});

export const listNotifications = endpoint({
  id: "listNotifications",
  method: "GET",
  path: "/api/v1/notifications",
  summary: "Notifications, newest first",
  roles: anyRole,
  query: Page,
  status: 200,
  response: z.object({
    notifications: z.array(
      z.object({
        notification_id: z.string(),
        about: z.string(),
        channel: z.string(),
        title: z.string(),
        text: z.string(),
        state: z.enum(["pending", "delivered", "failed"]),
        attempts: z.number().int(),
        created_at: InstantSchema,
        delivered_at: InstantSchema.nullable(),
        /** How what it asks for was decided; null where it is not yet, or asks for nothing. Older platforms do not say. */
        settled: z.object({ how: z.string(), at: InstantSchema }).nullable().optional(),
      }),
    ),
    next_page_token: z.string().nullable(),
  }),
});
