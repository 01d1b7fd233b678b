import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import { z } from "zod";
import { routes } from "./http.ts";
import { subscriptions } from "./subscriptions.ts";

const Config = z.object({});
type Config = z.infer<typeof Config>;
type Tables = Record<never, never>;

/** What deployments bring and cost: the four DORA figures, and the failed requests of each bad deployment. */
export const metricsAggregator: ServiceModule<Config, Tables> = {
  name: "metrics-aggregator",
  schema: "metrics",
  config: Config,
  start,
};

async function start({ db, bus }: ServiceContext<Config, Tables>): Promise<RunningService> {
  return {
    routes: (app) => routes(app, db, bus),
    subscriptions: subscriptions(db),
    ready: async () => undefined,
    close: async () => {},
  };
}
