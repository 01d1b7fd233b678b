import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ProblemError } from "@slipway/contracts";
import { createDurable, type Durable } from "@slipway/durable";
import type { Executor } from "@slipway/executor";
import type { RunningService, ServiceContext, ServiceModule } from "@slipway/host";
import { type RegistryAccess, RegistryClient } from "@slipway/oci";
import { imageRegistryProblems, installTools } from "@slipway/pipeline";
import { openSecrets } from "@slipway/secrets";
import { listen } from "@slipway/sql";
import type { BuildWorld } from "./build-world.ts";
import { BuildServiceConfig } from "./config.ts";
import { buildMachine } from "./effects.ts";
import { buildFigures, countingBus, toldBuilds } from "./figures.ts";
import { forgetLogs } from "./forget-logs.ts";
import { writeGitAuthorities } from "./git-authorities.ts";
import { apiRoutes } from "./http.ts";
import { logRoutes } from "./http-logs.ts";
import { secretRoutes } from "./http-secrets.ts";
import { webhookRoutes } from "./http-webhook.ts";
import { removeLeftWorkspaces } from "./left-workspaces.ts";
import { logHub } from "./log-hub.ts";
import { logMover, noLogMover } from "./log-mover.ts";
import { logChannel } from "./log-store.ts";
import { machineParts } from "./machine-parts.ts";
import { placeOf } from "./place.ts";
import { slots } from "./slots.ts";
import { forgetDeliveries } from "./store.ts";
import type { BuildTables } from "./tables.ts";

/** Longer than a build takes: what an earlier step was given is masked to the end of the build. */
const keepReplacedMs = 2 * 3_600_000;

type Context = ServiceContext<BuildServiceConfig, BuildTables>;

/** The build service: pushes in, registered artifacts out. */
export const buildService: ServiceModule<BuildServiceConfig, BuildTables> = {
  name: "build-service",
  schema: "build",
  config: BuildServiceConfig,
  worksWith: ["executor"],
  start: startBuildService,
};

async function startBuildService(context: Context): Promise<RunningService> {
  const { config, db, dbUrl, dataDir, log, objects } = context;
  const executor = await requireExecutor(context);
  const registry = lateRegistry(context);
  const place = await placeOf(dataDir);
  const told = toldBuilds();
  const world: BuildWorld = {
    ...{ db, config, dataDir, place, executor, registry: registry.client },
    ...{ bus: countingBus(context.bus, told), client: context.client, token: context.token },
    send: (tx, id, input) => durable.send(machine, id, input, tx),
    environments: context.environments.map(({ name }) => name),
    tools: await installTools({
      configured: config.SLIPWAY_BUILD_TOOLS,
      near: dirname(fileURLToPath(import.meta.url)),
      into: join(dataDir, "tools"),
    }),
    stepSlots: slots(config.SLIPWAY_MAX_STEPS),
    secrets: await openSecrets({ ...context, owner: "build", keys: config, keepMs: keepReplacedMs }),
    publicUrl: () => context.urls.public,
    gitAuthorities: await writeGitAuthorities(dataDir),
    ...machineParts(dataDir, config, registry.access),
  };
  const machine = buildMachine(world);
  const durable = createDurable({ db, url: dbUrl, machines: [machine], log, place });
  const hub = logHub();
  const listener = await listen({ url: dbUrl, channel: logChannel, onNotify: hub.announce, log });
  // The first build would wait seconds for it.
  const never = new AbortController().signal;
  world
    .bases("node24", never)
    .catch((error: unknown) => log.warn({ err: error }, "the base image could not be made yet"));
  await durable.start();
  const mover = context.objectsShared ? logMover({ db, objects }, config.SLIPWAY_MOVE_BUILD_LOGS, log) : noLogMover;
  return {
    routes: async (app) => {
      const ports = { db, objects, durable, machine, hub, config };
      apiRoutes(app, ports);
      logRoutes(app, ports);
      secretRoutes(app, world.db, world.secrets);
      await webhookRoutes(app, ports);
    },
    ready: async () => undefined,
    figures: [...buildFigures(db, config.SLIPWAY_MAX_BUILDS), told.figure, ...mover.figures],
    trouble: async () => [
      ...(await imageRegistryProblems(config.SLIPWAY_IMAGE_REGISTRIES)),
      ...(await mover.trouble()),
    ],
    sweep: async () => {
      await forgetDeliveries(db, config.SLIPWAY_KEEP_DELIVERIES);
      await removeLeftWorkspaces({ dataDir, durable, machine }, config.SLIPWAY_KEEP_WORKSPACES);
      await forgetLogs({ db, objects }, config.SLIPWAY_KEEP_BUILD_LOGS);
    },
    drain: () => durable.stop(),
    close: () => close(durable, mover, listener, registry, world.images, executor),
  };
}

type Closable = { close(): Promise<void> };

async function close(durable: Durable, ...rest: readonly Closable[]): Promise<void> {
  await durable.stop();
  for (const one of rest) await one.close();
}

type LateRegistry = Closable & { client(): RegistryClient; access(host: string): RegistryAccess | undefined };

/** The registry may be this very process, whose address is known once it listens. */
function lateRegistry(context: Context): LateRegistry {
  let made: RegistryClient | undefined;
  const auth = { username: "build-service", password: context.token };
  const url = (): string => context.urls.of("artifact-registry");
  return {
    client: () => {
      made ??= new RegistryClient({ url: url(), auth });
      return made;
    },
    // Its images may be named by where it is, or by the platform's public address.
    access: (host) =>
      [url(), context.urls.public].some((own) => new URL(own).host === host) ? { url: url(), auth } : undefined,
    close: async () => made?.close(),
  };
}

/** Refuses to start where steps cannot be isolated: a build service that would run them bare must be told so by name. */
async function requireExecutor(context: Context): Promise<Executor> {
  const { SLIPWAY_ISOLATION: method, SLIPWAY_NO_ISOLATION: none } = context.config;
  const executor = await context.openExecutor({ method: none ? "none" : method, workFolder: context.dataDir });
  if (executor.kind === "refused") {
    throw new ProblemError("isolation.unavailable", executor.reason, { remedy: executor.remedy });
  }
  if (executor.method === "none") {
    context.log.warn({ isolation: "none" }, "BUILD STEPS ARE NOT ISOLATED; their artifacts are barred from prod");
  } else context.log.info({ isolation: executor.description }, "build steps are isolated");
  return executor;
}
