import {
  listArtifacts,
  listWorkloadSecrets,
  ProblemError,
  putWorkloadSecret,
  removeWorkloadSecret,
} from "@slipway/contracts";
import type { EnvironmentEntry, Principal, ServiceApp } from "@slipway/host";
import type { ServiceName } from "@slipway/kernel";
import { unknownServiceWarning } from "@slipway/secrets";
import { environmentOf } from "./accept.ts";
import type { Service } from "./service.ts";
import { knownServiceNames } from "./store.ts";

/** Secrets of pods, by environment. Values come in and never go out. */
export function secretRoutes(app: ServiceApp, service: Service): void {
  const { secrets } = service;
  app.serve(putWorkloadSecret, async ({ params, body: { value }, principal, now }) => {
    const { name: scope } = mayChange(environmentOf(service, params.environment), principal);
    const set = await secrets.set({
      service: params.service,
      scope,
      name: params.secret,
      value,
      by: principal.name,
      now,
    });
    const warning = await warningOf(service, params.service);
    return warning === undefined ? set : { ...set, warning };
  });
  app.serve(listWorkloadSecrets, async ({ params }) => ({ secrets: await secrets.list(params.service) }));
  app.serve(removeWorkloadSecret, async ({ params, principal, now }) => {
    const { name: scope } = mayChange(environmentOf(service, params.environment), principal);
    const { service: of, secret: name } = params;
    if (!(await secrets.remove({ service: of, scope, name, by: principal.name, now }))) {
      throw new ProblemError("secret.not_found", `${of} has no secret ${name} in ${scope}.`, {
        remedy: `slipway secrets list ${of}`,
      });
    }
    return { name, service: of, scope };
  });
}

/** An image that was added is a service, too, before it was ever deployed. A registry that is away leaves the doubt unsaid. */
async function warningOf({ db, client }: Service, name: ServiceName): Promise<string | undefined> {
  const known = await knownServiceNames(db);
  if (known.includes(name)) return undefined;
  const answer = await client.call(listArtifacts, { query: { service: name, page_size: 1 } }).catch(() => undefined);
  return answer === undefined || answer.artifacts.length > 0 ? undefined : unknownServiceWarning(name, known);
}

/** What production runs with is the approvers' to say, elsewhere the deployers'; admin may always. */
function mayChange(environment: EnvironmentEntry, { name, roles }: Principal): EnvironmentEntry {
  const needed = environment.production ? "approver" : "deployer";
  if (roles.includes("admin") || roles.includes(needed)) return environment;
  throw new ProblemError(
    "auth.forbidden",
    `${name} may not change secrets of ${environment.name}: it takes the role ${needed}.`,
    { remedy: `Use a token of that role: --token or SLIPWAY_TOKEN.` },
  );
}
