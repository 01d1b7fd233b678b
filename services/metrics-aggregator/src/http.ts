import type { Bus } from "@slipway/bus";
import { getBadDeployments, getDora, listEvents, ProblemError } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import type { DeploymentId, EnvironmentName, ServiceName, VersionName } from "@slipway/kernel";
import { costOf, dora } from "./domain/reports.ts";
import { listChanges, type MetricsDb } from "./store.ts";

export function routes(app: ServiceApp, db: MetricsDb, bus: Bus): void {
  app.serve(listEvents, ({ query }) => readEvents(bus, query.topic, query.from, query.page_size));

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

/** What the bus has, for people: no group moves on by it. */
async function readEvents(bus: Bus, topic: string, from: string, limit: number) {
  try {
    const { events, next } = await bus.read(topic, from === "0" ? 0 : from, limit);
    return { events: [...events], next: String(next) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProblemError("request.invalid", `${from} is no position in ${topic}.`, {
      remedy: "Take 0, or the next of an earlier answer about the same topic.",
      cause: error,
    });
  }
}
