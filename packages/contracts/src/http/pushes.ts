import { z } from "zod";
import {
  BuildIdSchema,
  DeploymentIdSchema,
  DigestSchema,
  EnvironmentNameSchema,
  GitShaSchema,
  InstantSchema,
  ServiceNameSchema,
} from "../ids.ts";
import { anyRole, endpoint } from "./endpoint.ts";

/** What became of a build that is deployed by itself, since its service says so. */
export const PushView = z.object({
  build_id: BuildIdSchema,
  service: ServiceNameSchema,
  git_sha: GitShaSchema,
  digest: DigestSchema,
  environment: EnvironmentNameSchema,
  status: z.enum(["PENDING", "DEPLOYED", "REFUSED", "SUPERSEDED", "GIVEN_UP"]),
  deployment_id: DeploymentIdSchema.nullable(),
  /** Why it is not deployed (yet), and what to do. */
  reason: z.string().nullable(),
  remedy: z.string().nullable(),
  since: InstantSchema,
  /** When it is given up while it is PENDING. */
  deadline: InstantSchema,
});
export type PushView = z.infer<typeof PushView>;

export const getPush = endpoint({
  id: "getPush",
  method: "GET",
  path: "/api/v1/pushes/:build",
  summary: "How a build that is deployed by itself comes to its deployment",
  roles: anyRole,
  params: z.object({ build: BuildIdSchema }),
  status: 200,
  response: PushView,
});
