import { randomUUID } from "node:crypto";
import { DurationMs } from "@slipway/contracts";
import { createDurable } from "@slipway/durable";
import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import { foreignRegistries, PublishTo, readRegistriesFile } from "@slipway/oci";
import { z } from "zod";
import { importsMachine, machines, publicationsMachine } from "./effects.ts";
import { routes } from "./http.ts";
import type { Importing } from "./import/importing.ts";
import { registerExternal } from "./import/register-external.ts";
import type { PublishPorts } from "./publish/perform-publish.ts";
import type { Publishing } from "./publish/publishing.ts";
import { publishingTrouble } from "./publish/trouble.ts";
import type { Service } from "./service.ts";
import type { Tables } from "./store/tables.ts";
import { subscriptions } from "./subscriptions.ts";
import { discardAbandoned, removeStrayChunks } from "./v2/abandoned-uploads.ts";
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
  /** File that says which foreign registries images may be copied from, and how: see README.md. */
  SLIPWAY_EXTERNAL_REGISTRIES: z
    .string()
    .min(1)
    .superRefine((path, context) => {
      const message = registriesFileProblem(path);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    })
    .optional(),
  /** Whether registries of this very machine may be copied from. For a platform that only its own user reaches. */
  SLIPWAY_EXTERNAL_LOOPBACK: z.stringbool().default(false),
  /** Which image of a multi-platform index is taken, where the request does not say. */
  SLIPWAY_EXTERNAL_PLATFORM: z
    .string()
    .regex(/^linux\/[a-z0-9/]+$/)
    .default(`linux/${process.arch === "x64" ? "amd64" : process.arch}`),
  /** Images that are copied at once, by all processes together; further ones wait. */
  SLIPWAY_MAX_IMPORTS: z.coerce.number().int().min(1).default(8),
  /** A copy that is not done by then has failed. */
  SLIPWAY_EXTERNAL_DEADLINE: DurationMs.default(30 * 60_000),
  /** Where images are copied to, for regions to pull them from: `<host>/<prefix>`. Empty: nowhere, regions pull from here. */
  SLIPWAY_PUBLISH_TO: PublishTo.optional(),
  /** A copy there that is not done by then has failed; the next deployment begins it again. */
  SLIPWAY_PUBLISH_DEADLINE: DurationMs.default(30 * 60_000),
  /** An upload that nobody goes on with is given up after this. */
  SLIPWAY_KEEP_UPLOADS: DurationMs.default(86_400_000),
});
type Config = z.infer<typeof Config>;

/** Told with all other problems of the environment, before the database is waited for. */
function registriesFileProblem(path: string): string | undefined {
  try {
    readRegistriesFile(path);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

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
  const registry: Registry = { db, objects, clock, log, maxBlobBytes: config.SLIPWAY_REGISTRY_MAX_BLOB_BYTES };
  const file = readRegistriesFile(config.SLIPWAY_EXTERNAL_REGISTRIES);
  const registries = foreignRegistries(file, config.SLIPWAY_EXTERNAL_LOOPBACK);
  const credentials: Importing["credentials"] = new Map();
  // Of this process and no other: what came with a request is in its memory.
  const place = randomUUID();
  const copying = { registry, registries, credentials, place, clock, places: config.SLIPWAY_MAX_IMPORTS };
  const machine = importsMachine(
    { ...copying, register: (request, artifact) => registerExternal(service, request, artifact, clock.now()) },
    config.SLIPWAY_EXTERNAL_DEADLINE,
  );
  const importing: Importing = {
    ...{ machine, registries, credentials, place },
    platform: config.SLIPWAY_EXTERNAL_PLATFORM,
    deadlineMs: config.SLIPWAY_EXTERNAL_DEADLINE,
  };
  const publishing = publishingOf(config, { registry, registries, clock, underWay: new Set() });
  const durable = createDurable({
    ...{ db, url: dbUrl, log, place },
    machines: [artifacts, promotions, machine, publishing.machine],
  });
  const imageHost = () => config.SLIPWAY_REGISTRY_HOST ?? new URL(urls.public).host;
  const service: Service = {
    ...{ db, durable, artifacts, promotions, importing, publishing, bus, clock, environments, imageHost },
  };
  await durable.start();
  return {
    routes: (app) => {
      routes(app, service);
      serveV2(app, registry);
    },
    subscriptions: subscriptions(service),
    ready: () => objects.problem(),
    trouble: async () => {
      const { place } = publishing;
      const hosts = place === undefined ? [] : [place.host];
      const named = await registries.problems({ hosts, namedIn: "SLIPWAY_PUBLISH_TO" });
      return [...named, ...(await publishingTrouble(service))];
    },
    async sweep() {
      await discardAbandoned(registry, config.SLIPWAY_KEEP_UPLOADS);
      await removeStrayChunks(registry);
    },
    drain: () => durable.stop(),
    close: () => durable.stop(),
  };
}

function publishingOf(config: Config, ports: PublishPorts): Publishing {
  const deadlineMs = config.SLIPWAY_PUBLISH_DEADLINE;
  return { machine: publicationsMachine(ports, deadlineMs), place: config.SLIPWAY_PUBLISH_TO, deadlineMs };
}
