import { join } from "node:path";
import type { Bus } from "@slipway/bus";
import { type Client, createClient, ownerOf } from "@slipway/client";
import { settingText } from "@slipway/contracts";
import { type Clock, systemClock } from "@slipway/kernel";
import { type Db, type Logger, openDb } from "@slipway/sql";
import { areObjectsShared, metricsOf, openBus, openCache, openExecutor, openLocks, openObjects } from "./adapters.ts";
import type { Addresses } from "./addresses.ts";
import type { HostConfig } from "./config.ts";
import { ConfigError, problemsOf } from "./config-error.ts";
import { type HostDatabase, roleOf } from "./database.ts";
import { type Idempotency, idempotencyIn } from "./idempotency.ts";
import type { DatabaseState, RunningService, ServiceContext, ServiceModule } from "./module.ts";
import { type RegionEntry, regionsFor } from "./regions.ts";
import { type AccessTables, findInstallation } from "./token-rows.ts";
import { traceparent } from "./trace.ts";

export type ModuleWorld = {
  readonly config: HostConfig;
  readonly database: HostDatabase;
  readonly databaseState: DatabaseState;
  readonly addresses: Addresses;
  readonly regions: readonly RegionEntry[];
  readonly tokens: ReadonlyMap<string, string>;
  readonly log: Logger;
};

/** A started service with what the host made for it. */
export type StartedModule = {
  readonly name: string;
  readonly db: Db<unknown>;
  readonly bus: Bus;
  readonly client: Client;
  readonly log: Logger;
  readonly clock: Clock;
  readonly idempotency: Idempotency;
  closeLocks(): Promise<void>;
  readonly running: RunningService;
};

/** Gives a module its own pool, bus, client and logger, and starts it. What was opened is closed again when that fails. */
export async function startModule(module: ServiceModule, world: ModuleWorld): Promise<StartedModule> {
  const { config, database, addresses } = world;
  const log = childLog(world.log, module.name);
  const dbUrl = database.roleUrl(roleOf(module.schema));
  const db = openDb<unknown>({ url: dbUrl, schema: module.schema, applicationName: `slipway-${module.name}`, log });
  const bus = openBus(config, dbUrl, log, () => findInstallation(db as Db<AccessTables>));
  const token = world.tokens.get(module.name) ?? "";
  const client = createClient({
    url: (path) => addresses.of(ownerOf(path) ?? module.name),
    token,
    traceparent,
  });
  const opened = openLocks(config.lockUrl, db, log);
  const own = { db, bus, client, log, clock: systemClock };
  const context: ServiceContext = {
    ...own,
    config: parseConfig(module, config),
    dbUrl,
    database: world.databaseState,
    objects: openObjects(config.objectsUrl, config.dataDir),
    objectsShared: areObjectsShared(config),
    locks: opened.locks,
    openCache: ({ keepMs }) => openCache(config.cache, { space: module.schema, keepMs, log }),
    metrics: metricsOf(world.regions),
    openExecutor: (options) => openExecutor(config, { ...options, secret: token, log }),
    token,
    urls: addresses,
    regions: regionsFor(module.regionAccount, world.regions),
    environments: config.environments,
    productionEnvironments: config.environments.filter(({ production }) => production).map(({ name }) => name),
    dataDir: config.dataDir,
    prepared: config.prepared,
  };
  try {
    const running = await module.start(context);
    log.info({ schema: module.schema }, "service started");
    return { ...own, closeLocks: opened.close, name: module.name, idempotency: idempotencyIn(db), running };
  } catch (error) {
    await Promise.allSettled([bus.close(), client.close(), opened.close(), db.destroy()]);
    throw new Error(`${module.name} did not start: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

export const tokensFolder = (config: Pick<HostConfig, "dataDir">): string => join(config.dataDir, "tokens");

function parseConfig(module: ServiceModule, config: HostConfig): unknown {
  const parsed = module.config.safeParse(config.env, { error: settingText });
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error));
  return parsed.data;
}

/** pino has `child`; a plain logger of a test has not. */
function childLog(log: Logger, service: string): Logger {
  if ("child" in log && typeof log.child === "function") return log.child({ service }) as Logger;
  return log;
}
