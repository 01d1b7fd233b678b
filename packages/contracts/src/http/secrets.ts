import { z } from "zod";
import { EnvironmentNameSchema, InstantSchema, ServiceNameSchema } from "../ids.ts";
import { BuildSecretValue, SecretNameSchema, SecretValue } from "../secret-names.ts";
import { endpoint } from "./endpoint.ts";

/** What is known of a secret. Its value can be replaced and used, and is never told again. */
export const SecretView = z.object({
  name: SecretNameSchema,
  service: ServiceNameSchema,
  /** `build`, or the environment whose pods have it. */
  scope: z.string(),
  /** Drawn anew with each new value, and no function of it. */
  revision: z.string(),
  set_by: z.string(),
  set_at: InstantSchema,
  /** False while the key that it was encrypted with is not there. */
  readable: z.boolean(),
});
export type SecretView = z.infer<typeof SecretView>;

/** `warning`: nobody knows the service yet. That is no mistake before its first push; where it is one, this is where it is seen. */
const SecretSet = SecretView.extend({ warning: z.string().optional() });
const SecretList = z.object({ secrets: z.array(SecretView) });
const Removed = z.object({ name: SecretNameSchema, service: ServiceNameSchema, scope: z.string() });
const people = ["viewer", "deployer", "approver"] as const;
const ofBuild = z.object({ service: ServiceNameSchema });
const ofEnvironment = ofBuild.extend({ environment: EnvironmentNameSchema, secret: SecretNameSchema });

export const putBuildSecret = endpoint({
  id: "putBuildSecret",
  method: "PUT",
  path: "/api/v1/repositories/:service/secrets/:secret",
  summary: "Set a secret that build steps of a service may name",
  roles: ["deployer"],
  params: ofBuild.extend({ secret: SecretNameSchema }),
  body: z.strictObject({ value: BuildSecretValue }),
  status: 200,
  response: SecretSet,
});

export const listBuildSecrets = endpoint({
  id: "listBuildSecrets",
  method: "GET",
  path: "/api/v1/repositories/:service/secrets",
  summary: "Names of the secrets of a service's build steps",
  roles: people,
  params: ofBuild,
  status: 200,
  response: SecretList,
});

export const removeBuildSecret = endpoint({
  id: "removeBuildSecret",
  method: "DELETE",
  path: "/api/v1/repositories/:service/secrets/:secret",
  summary: "Remove a secret of build steps",
  roles: ["deployer"],
  params: ofBuild.extend({ secret: SecretNameSchema }),
  status: 200,
  response: Removed,
});

export const putWorkloadSecret = endpoint({
  id: "putWorkloadSecret",
  method: "PUT",
  path: "/api/v1/services/:service/environments/:environment/secrets/:secret",
  summary: "Set a secret that a service's pods in an environment may name; production takes an approver",
  roles: ["deployer", "approver"],
  params: ofEnvironment,
  body: z.strictObject({ value: SecretValue }),
  status: 200,
  response: SecretSet,
});

export const listWorkloadSecrets = endpoint({
  id: "listWorkloadSecrets",
  method: "GET",
  path: "/api/v1/services/:service/secrets",
  summary: "Names of the secrets of a service's pods, by environment",
  roles: people,
  params: ofBuild,
  status: 200,
  response: SecretList,
});

export const removeWorkloadSecret = endpoint({
  id: "removeWorkloadSecret",
  method: "DELETE",
  path: "/api/v1/services/:service/environments/:environment/secrets/:secret",
  summary: "Remove a secret of pods; production takes an approver",
  roles: ["deployer", "approver"],
  params: ofEnvironment,
  status: 200,
  response: Removed,
});
