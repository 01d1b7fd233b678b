import { DurationMs } from "@slipway/contracts";
import { createDurable } from "@slipway/durable";
import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import { z } from "zod";
import { machines } from "./effects.ts";
import { routes } from "./http.ts";
import type { Service } from "./service.ts";
import type { Tables } from "./store/tables.ts";
import { subscriptions } from "./subscriptions.ts";
import { discardAbandoned } from "./v2/abandoned-uploads.ts";
import type { Registry } from "./v2/exchange.ts";
import { serveV2 } from "./v2/plugin.ts";

const Config = z.object({
  /** Host and port in the names of images, where it is not that of the public URL. */
  SLIPWAY_REGISTRY_HOST: z.string().min(1).optional(),
  SLIPWAY_REGISTRY_MAX_BLOB_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(10 * 1024 ** 3),
  /** An upload that nobody goes on with is given up after this. */
  SLIPWAY_KEEP_UPLOADS: DurationMs.default(86_400_000),
});
type Config = z.infer<typeof Config>;

/** Images, artifacts and their way through the environments. */
export const artifactRegistry: ServiceModule<Config, Tables> = {
  name: "artifact-registry",
  schema: "registry",
  config: Config,
  start,
};

async function start(context: ServiceContext<Config, Tables>): Promise<RunningService> {
  const { config, db, dbUrl, bus, objects, clock, log, environments, urls } = context;
  const { artifacts, promotions } = machines(bus);
  const durable = createDurable({ db, url: dbUrl, machines: [artifacts, promotions], log });
  const imageHost = () => config.SLIPWAY_REGISTRY_HOST ?? new URL(urls.public).host;
  const service: Service = { db, durable, artifacts, promotions, bus, clock, environments, imageHost };
  const registry: Registry = { db, objects, clock, log, maxBlobBytes: config.SLIPWAY_REGISTRY_MAX_BLOB_BYTES };
  await durable.start();
  return {
    routes: (app) => {
      routes(app, service);
      serveV2(app, registry);
    },
    subscriptions: subscriptions(service),
    ready: async () => undefined,
    sweep: async () => void (await discardAbandoned(registry, config.SLIPWAY_KEEP_UPLOADS)),
    drain: () => durable.stop(),
    close: () => durable.stop(),
  };
}
