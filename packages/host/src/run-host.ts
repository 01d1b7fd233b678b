import { BusUnavailable } from "@slipway/bus";
import type { Logger } from "@slipway/sql";
import closeWithGrace from "close-with-grace";
import { pino } from "pino";
import { tellOfRedis } from "./adapters.ts";
import { addresses, baseUrl } from "./addresses.ts";
import type { ServiceApp } from "./app.ts";
import { type Assembled, assemble } from "./assemble.ts";
import { type HostConfig, readConfig } from "./config.ts";
import { databaseOf, type HostDatabase } from "./database.ts";
import type { Readiness } from "./health.ts";
import { listenOn } from "./listen-on.ts";
import type { AnyServiceModule, ServiceModule } from "./module.ts";
import { type PreparedDatabase, prepareDatabase } from "./prepare-database.ts";
import type { RegionEntry } from "./regions.ts";
import { keepSweeping } from "./retention.ts";
import type { ServedRoute } from "./server.ts";
import type { ModuleWorld } from "./start-module.ts";
import { stopHost } from "./stop-host.ts";
import { noBackendWatch, watchBackends } from "./watch-backends.ts";

export type RunHostOptions = {
  readonly modules: readonly AnyServiceModule[];
  /** Default: read from the environment of the process. */
  readonly config?: HostConfig;
  /** A database that the caller started itself (`DATABASE_URL=embedded:`). */
  readonly database?: HostDatabase;
  /** Regions that the caller started itself (`REGIONS=local:`). */
  readonly regions?: readonly RegionEntry[];
  /** Routes of the process itself, beside those of its modules: a page, a git server. */
  readonly routes?: (app: ServiceApp) => void | Promise<void>;
  /** What `/readyz` asks beside the modules: services of this platform that run in processes of their own. */
  readonly checks?: readonly Readiness[];
  /** Default: pino, JSON lines on stdout. */
  readonly log?: Logger;
  /** Look at what the services work with all the time, and say in `/readyz` what is wrong there. Default false: that costs a look each half minute. */
  readonly watchBackends?: boolean;
  /** Stop on SIGTERM and SIGINT and then end the process. Default true. */
  readonly signals?: boolean;
};

export type RunningHost = {
  /** Base URL of the listener, e.g. `http://127.0.0.1:7400`. */
  readonly url: string;
  readonly port: number;
  /** Tokens by name (`admin`, `deployer`, …, one per service of this process), for the caller that prints them. Never log them. */
  readonly tokens: ReadonlyMap<string, string>;
  /** Every route that is answered, by the pattern it was added with. */
  readonly routes: readonly ServedRoute[];
  /** Refuses new work, drains, closes. The same promise for every caller. Never rejects. */
  stop(): Promise<void>;
};

/** Longer than callers of a process that takes part in a platform pause between two requests of one connection. */
const lingerMs = 300;

/**
 * Runs modules in this process until a signal or `stop()`: migrates, starts them in order, listens, subscribes. Rejects, with
 * everything closed again, when the configuration is wrong (ConfigError), the port is taken (ProblemError) or a module fails.
 */
export async function runHost(options: RunHostOptions): Promise<RunningHost> {
  // The host gives each module what the module's own schema says, which the type of a list cannot express.
  const modules = options.modules as readonly ServiceModule[];
  const config = options.config ?? readConfig(process.env, modules);
  const log = options.log ?? pino({ level: config.logLevel, base: { pid: process.pid } });
  const database = options.database ?? databaseOf(config);
  const prepared = await prepareDatabase(database, config, modules, log);
  const { tokens } = prepared;
  const regions = options.regions ?? (config.regions.kind === "file" ? config.regions.entries : []);

  const listening: { url?: string } = {};
  const here = new Set(modules.map(({ name }) => name));
  const world: ModuleWorld = {
    config,
    database,
    databaseState: prepared,
    addresses: addresses(config, here, () => listening.url),
    regions,
    tokens,
    log,
  };
  const backends = options.watchBackends === true ? watchBackends(modules, world) : noBackendWatch;
  const host = await assemble(modules, world, { ...options, backends }).catch((error: unknown) => {
    backends.stop();
    prepared.stop();
    throw error;
  });
  const sweeping = keepSweeping(host.parts.modules, config, log);
  let stopped: Promise<void> | undefined;
  let forgetSignals = () => {};
  const stop = (lingerMs?: number) => {
    backends.stop();
    sweeping.stop();
    prepared.stop();
    stopped ??= stopHost(host.parts, config.stopWithinMs, lingerMs).finally(() => forgetSignals());
    return stopped;
  };
  try {
    // Before anybody can be told that this is ready: what nobody waits for ends a process out of order, and the first process of a container never.
    if (options.signals !== false) forgetSignals = stopOnSignals(() => stop(lingerMs), config, log);
    const port = await listenOn(host.parts.app, config.host, config.port);
    const url = baseUrl(config.host, port);
    listening.url = url;
    if (!prepared.isReady() || !(await subscribed(host, log))) void subscribeOnce(prepared, host, log);
    log.info({ url, services: [...here] }, "host listens");
    if (options.watchBackends !== true) void tellOfRedis(config, log);
    return { url, port, tokens, routes: host.routes, stop: () => stop() };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** False: the bus is away. Work goes on without it as far as it can, `/readyz` says why it is not all, and events are taken when it comes back. */
async function subscribed(host: Assembled, log: Logger): Promise<boolean> {
  try {
    await host.subscribe();
    return true;
  } catch (error) {
    if (!(error instanceof BusUnavailable)) throw error;
    log.warn({ reason: error.message }, "no events are taken yet");
    return false;
  }
}

/** Events are taken as soon as the database and the bus are there. */
async function subscribeOnce(prepared: PreparedDatabase, host: Assembled, log: Logger): Promise<void> {
  const { signal } = host.parts.stopping;
  await prepared.ready.catch(() => undefined);
  while (!signal.aborted) {
    try {
      return await host.subscribe();
    } catch (error) {
      log.warn({ err: error }, "no events are taken yet; trying again");
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

function stopOnSignals(stop: () => Promise<void>, config: HostConfig, log: Logger): () => void {
  const grace = closeWithGrace({ delay: config.stopWithinMs + 2_000, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) log.error({ err }, "stopping after an error that nobody caught");
    else log.info({ signal }, "stopping");
    await stop();
  });
  return () => grace.uninstall();
}
