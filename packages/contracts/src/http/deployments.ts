import { z } from "zod";
import { Counts, Verdict } from "../events/counts.ts";
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
import { wholeNumber } from "../whole-number.ts";
import { Page, Reason, ValidateOnly, WaitingView } from "./common.ts";
import { anyRole, endpoint } from "./endpoint.ts";

export const DeploymentStatus = z.enum([
  "IN_PROGRESS",
  "CANARY_MONITORING",
  "ROLLING_OUT",
  "AWAITING_APPROVAL",
  "HELD",
  "SUCCEEDED",
  "ROLLING_BACK",
  "ROLLED_BACK",
  "FAILED",
  "CANCELLED",
  "SUPERSEDED",
]);
export type DeploymentStatus = z.infer<typeof DeploymentStatus>;

/** A deployment of such a status has come to its end. */
export const endedStatuses: ReadonlySet<DeploymentStatus> = new Set([
  "SUCCEEDED",
  "ROLLED_BACK",
  "FAILED",
  "CANCELLED",
  "SUPERSEDED",
]);

export const DeploymentPhase = z.enum([
  "accepted",
  "queued",
  "opening",
  "preparing",
  "raising",
  "baking",
  "awaiting_approval",
  "held",
  "finishing",
  "watching",
  "verified",
  "restoring",
  "rolled_back",
  "failed",
  "cancelled",
  "superseded",
]);
export type DeploymentPhase = z.infer<typeof DeploymentPhase>;

export const RegionState = z.enum([
  "pending",
  "opening",
  "preparing",
  "ready",
  "raising",
  "serving",
  "lowering",
  "shut",
  "draining",
  "retired",
  "away",
]);
export type RegionState = z.infer<typeof RegionState>;

export const DeploymentRequest = z.strictObject({
  service: ServiceNameSchema,
  /** A commit (7 to 40 hex digits), a digest, or `<sha7>-<hash5>`. */
  version: z
    .string()
    .regex(
      /^([0-9a-f]{7,40}|sha256:[0-9a-f]{64}|[0-9a-f]{7}-[a-z2-7]{5})$/,
      "a version is a commit (7 to 40 hex digits), a digest, or <sha7>-<hash5>",
    ),
  strategy: z.enum(["canary", "blue-green", "rolling"]).default("canary"),
  /** Replaces the plan's first weight; above 5 in production it needs an approval. */
  canary_percent: wholeNumber(1, 100).optional(),
  regions: z
    .array(RegionNameSchema)
    .min(1)
    .max(50)
    .refine((r) => new Set(r).size === r.length, "a region is named twice")
    .optional(),
  environment: EnvironmentNameSchema.optional(),
  /** Says that the caller knows this is the first deployment of the service in this environment. */
  confirm_initial: z.boolean().optional(),
});
export type DeploymentRequest = z.infer<typeof DeploymentRequest>;

export const GateView = z.object({
  step: z.number().int(),
  weight_percent: z.number(),
  verdict: Verdict,
  counts: Counts,
  sentence: z.string(),
  at: InstantSchema,
});

export const DeploymentView = z.object({
  deployment_id: DeploymentIdSchema,
  status: DeploymentStatus,
  phase: DeploymentPhase,
  service: ServiceNameSchema,
  environment: EnvironmentNameSchema,
  version: VersionNameSchema,
  digest: DigestSchema,
  git_sha: GitShaSchema,
  strategy: z.string(),
  initial: z.boolean(),
  plan: z.array(z.object({ weight_percent: z.number(), bake_ms: z.number() })),
  /** Index of the present step of the plan; null before the first and after the last. */
  step: z.number().int().nullable(),
  regions: z.record(
    z.string(),
    z.object({
      state: RegionState,
      weight_percent: z.number(),
      epoch: z.number().int().nullable(),
      baseline: VersionNameSchema.nullable(),
      reason: z.string().nullable(),
      /** What a pod that did not become ready printed last. */
      last_lines: z.array(z.string()).optional(),
      /** Why each pod that did not become ready was not, in the region's words; while pods are awaited, why it is not yet. */
      pods: z.array(z.string()).optional(),
      /** The weight is written since then, and the region's mesh has not shown yet that it serves it instead of `from_percent`. */
      unproven: z.object({ since: InstantSchema, from_percent: z.number() }).optional(),
    }),
  ),
  gates: z.array(GateView),
  verified: z.boolean(),
  rolls_back: DeploymentIdSchema.nullable(),
  waiting: WaitingView.nullable(),
  reason: z.string().nullable(),
  requested_by: z.string(),
  created_at: InstantSchema,
  updated_at: InstantSchema,
});
export type DeploymentView = z.infer<typeof DeploymentView>;

/** Rates in percent; null where nothing is known. */
export const DeploymentStatusView = z.object({
  deployment_id: DeploymentIdSchema,
  status: DeploymentStatus,
  canary_error_rate: z.number().nullable(),
  baseline_error_rate: z.number().nullable(),
  time_remaining_min: z.number().nullable(),
  progress: z.string(),
  step: z.number().int().nullable(),
  weight_percent: z.number().nullable(),
  verdict: Verdict.nullable(),
  sentence: z.string().nullable(),
  requests_needed: z.number().int().nullable(),
  waiting: WaitingView.nullable(),
});
export type DeploymentStatusView = z.infer<typeof DeploymentStatusView>;

const byId = z.object({ id: DeploymentIdSchema });
const because = z.strictObject({ reason: Reason.optional() });
const moved = z.object({
  deployment_id: DeploymentIdSchema,
  status: DeploymentStatus,
  progress: z.string(),
  waiting: WaitingView.nullable(),
});

export const createDeployment = endpoint({
  id: "createDeployment",
  method: "POST",
  path: "/api/v1/deployments",
  summary: "Deploy a version to an environment in a set of regions",
  roles: ["deployer", "approver"],
  query: ValidateOnly,
  body: DeploymentRequest,
  status: 202,
  response: z.object({
    deployment_id: DeploymentIdSchema.nullable(),
    status: DeploymentStatus,
    deployment: DeploymentView.nullable(),
  }),
});

export const listDeployments = endpoint({
  id: "listDeployments",
  method: "GET",
  path: "/api/v1/deployments",
  summary: "Deployments, newest first",
  roles: anyRole,
  query: Page.extend({
    service: ServiceNameSchema.optional(),
    environment: EnvironmentNameSchema.optional(),
    status: DeploymentStatus.optional(),
  }),
  status: 200,
  response: z.object({ deployments: z.array(DeploymentView), next_page_token: z.string().nullable() }),
});

export const getDeployment = endpoint({
  id: "getDeployment",
  method: "GET",
  path: "/api/v1/deployments/:id",
  summary: "One deployment, whole",
  roles: anyRole,
  params: byId,
  status: 200,
  response: DeploymentView,
});

export const getDeploymentStatus = endpoint({
  id: "getDeploymentStatus",
  method: "GET",
  path: "/api/v1/deployments/:id/status",
  summary: "How a deployment is doing",
  roles: anyRole,
  params: byId,
  status: 200,
  response: DeploymentStatusView,
});

export const promoteDeployment = endpoint({
  id: "promoteDeployment",
  method: "POST",
  path: "/api/v1/deployments/:id/promote",
  summary: "End this step's bake early; never overrides a gate",
  roles: ["deployer", "approver"],
  params: byId,
  body: z.strictObject({
    expected_step: z.number().int().nonnegative().optional(),
    reason: Reason.optional(),
  }),
  emptyBody: true,
  status: 202,
  response: moved,
});

const action = <const Id extends string>(
  id: Id,
  path: string,
  summary: string,
  roles: readonly ("deployer" | "approver")[],
) =>
  endpoint({
    id,
    method: "POST",
    path: `/api/v1/deployments/:id/${path}`,
    summary,
    roles,
    params: byId,
    body: because,
    emptyBody: true,
    status: 202,
    response: moved,
  });

export const rollbackDeployment = action("rollbackDeployment", "rollback", "Take the version back everywhere", [
  "deployer",
  "approver",
]);
export const haltDeployment = action("haltDeployment", "halt", "Hold the deployment where it is", [
  "deployer",
  "approver",
]);
export const resumeDeployment = action("resumeDeployment", "resume", "Go on after a halt", ["deployer", "approver"]);
export const approveDeployment = action("approveDeployment", "approvals", "Approve exposure beyond 5% by name", [
  "approver",
]);

export const listEnvironments = endpoint({
  id: "listEnvironments",
  method: "GET",
  path: "/api/v1/environments",
  summary: "Environments in the order artifacts pass them",
  roles: anyRole,
  status: 200,
  response: z.object({
    environments: z.array(
      z.object({ name: EnvironmentNameSchema, production: z.boolean(), minimum_bake_ms: z.number() }),
    ),
  }),
});

export const listRegions = endpoint({
  id: "listRegions",
  method: "GET",
  path: "/api/v1/regions",
  summary: "Regions and whether they answer",
  roles: anyRole,
  status: 200,
  response: z.object({
    regions: z.array(
      z.object({
        ...{ name: RegionNameSchema, reachable: z.boolean(), reason: z.string().nullable(), mesh_url: z.string() },
        /** Services that are only observed there, as `environment/service`, until a restored database is accepted. */
        observed: z.array(z.string()),
      }),
    ),
  }),
});
