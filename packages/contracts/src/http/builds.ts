import { z } from "zod";
import { BuildIdSchema, DigestSchema, GitShaSchema, InstantSchema, ServiceNameSchema } from "../ids.ts";
import { Page, Reason, WaitingView } from "./common.ts";
import { anyRole, endpoint } from "./endpoint.ts";

export const BuildStepView = z.object({
  name: z.string(),
  state: z.enum(["waiting", "running", "succeeded", "failed", "timed_out", "cancelled", "skipped"]),
  exit_code: z.number().int().nullable(),
  started_at: InstantSchema.nullable(),
  ended_at: InstantSchema.nullable(),
});

export const BuildView = z.object({
  build_id: BuildIdSchema,
  service: ServiceNameSchema,
  git_sha: GitShaSchema,
  ref: z.string(),
  author: z.string(),
  status: z.enum(["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]),
  steps: z.array(BuildStepView),
  digest: DigestSchema.nullable(),
  /** How the steps were isolated, e.g. `bubblewrap, limits: cgroup v1`. */
  isolation: z.string().nullable(),
  reason: z.string().nullable(),
  waiting: WaitingView.nullable(),
  created_at: InstantSchema,
  ended_at: InstantSchema.nullable(),
});
export type BuildView = z.infer<typeof BuildView>;

const byId = z.object({ id: BuildIdSchema });

export const putRepository = endpoint({
  id: "putRepository",
  method: "PUT",
  path: "/api/v1/repositories/:service",
  summary: "Say where a service's repository is and with which secret its webhooks are signed",
  roles: ["admin"],
  params: z.object({ service: ServiceNameSchema }),
  body: z.strictObject({ url: z.string().min(1).max(2_000), secret: z.string().min(16).max(200) }),
  status: 200,
  response: z.object({ service: ServiceNameSchema, url: z.string() }),
});

export const RepositoryView = z.object({
  service: ServiceNameSchema,
  /** Without user and password. */
  url: z.string(),
  /** Whether it is fetched with a user and a password, which are told to nobody. */
  credentials: z.boolean(),
  updated_at: InstantSchema,
});
export type RepositoryView = z.infer<typeof RepositoryView>;

export const listRepositories = endpoint({
  id: "listRepositories",
  method: "GET",
  path: "/api/v1/repositories",
  summary: "Where services' repositories are, by service; never their secrets",
  roles: anyRole,
  query: Page.extend({ service: ServiceNameSchema.optional() }),
  status: 200,
  response: z.object({ repositories: z.array(RepositoryView), next_page_token: z.string().nullable() }),
});

export const removeRepository = endpoint({
  id: "removeRepository",
  method: "DELETE",
  path: "/api/v1/repositories/:service",
  summary: "Forget a service's repository, with the password and the webhook's secret; what was built of it stays",
  roles: ["admin"],
  params: z.object({ service: ServiceNameSchema }),
  status: 200,
  response: z.object({ service: ServiceNameSchema, url: z.string() }),
});

export const listBuilds = endpoint({
  id: "listBuilds",
  method: "GET",
  path: "/api/v1/builds",
  summary: "Builds, newest first",
  roles: anyRole,
  query: Page.extend({
    service: ServiceNameSchema.optional(),
    git_sha: z
      .string()
      .regex(/^[0-9a-f]{7,40}$/)
      .optional(),
  }),
  status: 200,
  response: z.object({ builds: z.array(BuildView), next_page_token: z.string().nullable() }),
});

export const getBuild = endpoint({
  id: "getBuild",
  method: "GET",
  path: "/api/v1/builds/:id",
  summary: "One build with its steps",
  roles: anyRole,
  params: byId,
  status: 200,
  response: BuildView,
});

export const cancelBuild = endpoint({
  id: "cancelBuild",
  method: "POST",
  path: "/api/v1/builds/:id/cancel",
  summary: "Stop a build",
  roles: ["deployer"],
  params: byId,
  body: z.strictObject({ reason: Reason.optional() }),
  emptyBody: true,
  status: 202,
  response: BuildView,
});

/** Path of a build's log: text, or server-sent events whose id is the byte offset. */
export const buildLogPath = (id: string): string => `/api/v1/builds/${id}/logs`;
