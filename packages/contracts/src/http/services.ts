import { z } from "zod";
import {
  DeploymentIdSchema,
  DigestSchema,
  EnvironmentNameSchema,
  InstantSchema,
  ServiceNameSchema,
  VersionNameSchema,
} from "../ids.ts";
import { Page } from "./common.ts";
import { DeploymentStatus } from "./deployments.ts";
import { anyRole, endpoint } from "./endpoint.ts";

/** What an admin says of a service. */
export const ServiceEntry = z.strictObject({
  owner: z.string().min(1).max(100),
  /** Where builds of its main branch are deployed by themselves; never production. Null: nowhere; absent: as it is. */
  deploys_to: EnvironmentNameSchema.nullable().optional(),
});

export const putService = endpoint({
  id: "putService",
  method: "PUT",
  path: "/api/v1/services/:name",
  summary: "Register a service with its owner",
  roles: ["admin"],
  params: z.object({ name: ServiceNameSchema }),
  body: ServiceEntry,
  status: 200,
  response: z.object({ name: ServiceNameSchema, owner: z.string() }),
});

/** What serves, and since when it has 100%. */
const LiveVersion = z.object({
  version: VersionNameSchema,
  digest: DigestSchema,
  verified: z.boolean(),
  deployment_id: DeploymentIdSchema,
  since: InstantSchema,
});

export const ServiceView = z.object({
  name: ServiceNameSchema,
  owner: z.string(),
  deploys_to: EnvironmentNameSchema.nullable(),
  /** Per environment and region: the version that serves and whether it is verified. */
  live: z.record(z.string(), z.record(z.string(), LiveVersion)),
  /** Deployments that have neither come to 100% nor ended. */
  under_way: z.array(
    z.object({
      deployment_id: DeploymentIdSchema,
      environment: EnvironmentNameSchema,
      version: VersionNameSchema,
      status: DeploymentStatus,
    }),
  ),
});
export type ServiceView = z.infer<typeof ServiceView>;

export const getService = endpoint({
  id: "getService",
  method: "GET",
  path: "/api/v1/services/:name",
  summary: "One service: owner, what serves where, and what is under way",
  roles: anyRole,
  params: z.object({ name: ServiceNameSchema }),
  status: 200,
  response: ServiceView,
});

export const listServices = endpoint({
  id: "listServices",
  method: "GET",
  path: "/api/v1/services",
  summary: "Services by name: what serves where, and what is under way",
  roles: anyRole,
  query: Page,
  status: 200,
  response: z.object({ services: z.array(ServiceView), next_page_token: z.string().nullable() }),
});
