import { listBuildSecrets, ProblemError, putBuildSecret, removeBuildSecret } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { buildScope, type SecretStore, unknownServiceWarning } from "@slipway/secrets";
import type { Db } from "@slipway/sql";
import { registeredServices } from "./store.ts";
import type { BuildTables } from "./tables.ts";

/** Secrets of build steps. Values come in and never go out. */
export function secretRoutes(app: ServiceApp, db: Db<BuildTables>, secrets: SecretStore): void {
  app.serve(putBuildSecret, async ({ params: { service, secret: name }, body: { value }, principal, now }) => {
    const set = await secrets.set({ service, scope: buildScope, name, value, by: principal.name, now });
    const warning = unknownServiceWarning(service, await registeredServices(db));
    return warning === undefined ? set : { ...set, warning };
  });
  app.serve(listBuildSecrets, async ({ params }) => ({ secrets: await secrets.list(params.service) }));
  app.serve(removeBuildSecret, async ({ params: { service, secret: name }, principal, now }) => {
    if (!(await secrets.remove({ service, scope: buildScope, name, by: principal.name, now }))) {
      throw new ProblemError("secret.not_found", `${service} has no secret ${name} for its builds.`, {
        remedy: `slipway secrets list ${service}`,
      });
    }
    return { name, service, scope: buildScope };
  });
}
