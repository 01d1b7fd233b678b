import { getBadDeployments, getDora } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import type { DeploymentId, EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { costOf, dora } from "./domain/reports.ts";
import { listChanges, type MetricsDb } from "./store.ts";

export function routes(app: ServiceApp, db: MetricsDb): void {
  app.serve(getDora, async ({ query }) => ({ days: query.days, ...dora(await listChanges(db, query), query.days) }));

  app.serve(getBadDeployments, async ({ query, now }) => {
    const bad = await listChanges(db, query, true);
    return {
      bad_deployments: bad.map((facts) => {
        const cost = costOf(facts);
        return {
          deployment_id: facts.id as DeploymentId,
          service: facts.service as ServiceName,
          environment: facts.environment as EnvironmentName,
          version: facts.version as VersionName,
          ...cost,
          ended_at: cost.ended_at ?? now,
        };
      }),
    };
  });
}
