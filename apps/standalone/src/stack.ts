import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { artifactRegistry } from "@slipway/artifact-registry";
import { buildService } from "@slipway/build-service";
import { type Client, createClient } from "@slipway/client";
import { ProblemError } from "@slipway/contracts";
import { deploymentOrchestrator } from "@slipway/deployment-orchestrator";
import { type RunningHost, readConfig, runHost, type ServiceApp } from "@slipway/host";
import { metricsAggregator } from "@slipway/metrics-aggregator";
import { notificationService } from "@slipway/notification-service";
import { type EmbeddedPostgres, type Logger, startEmbeddedPostgres } from "@slipway/sql";
import { basesFolder } from "./bases-folder.ts";
import { writeEndpoints } from "./data-folder.ts";
import { gitRoutes } from "./git/git-server.ts";
import { registrar } from "./git/own-repository.ts";
import { endpointsOf, type Layout } from "./layout.ts";
import { identify } from "./processes/identity.ts";
import { stopLeftPods } from "./processes/left-pods.ts";
import type { PidFiles } from "./processes/pid-files.ts";
import { type KeptPostgres, keepPostgres } from "./processes/postgres-keeper.ts";
import { type ChildSpec, Supervisor } from "./processes/supervisor.ts";
import { rollbackReadiness } from "./rollback-readiness.ts";
import { watchProxyRoutes } from "./watch-proxy.ts";

export type StackOptions = {
  readonly dataDir: string;
  readonly entry: string;
  readonly build: string;
  readonly layout: Layout;
  readonly pids: PidFiles;
  readonly noIsolation: boolean;
  /** Routes of the page, which is there before what it shows. */
  readonly pageRoutes: (app: ServiceApp) => void;
  /** Told, where a port was taken, how to end what runs on meanwhile: traffic is not to stop for a port, and the next try adopts it all. */
  readonly leaves: (stop: () => Promise<void>) => void;
  readonly log: Logger;
};

/** Everything that runs: the five services of this process, and the processes around it. */
export type Stack = {
  readonly url: string;
  readonly layout: Layout;
  readonly supervisor: Supervisor;
  /** A client for each of the people's tokens. */
  as(name: "admin" | "deployer" | "approver" | "viewer"): Client;
  tokenFile(name: string): string;
  stop(): Promise<void>;
};

const modules = [artifactRegistry, buildService, deploymentOrchestrator, notificationService, metricsAggregator];

/** Starts the whole stack, or takes over what an earlier platform left running. Resolves when everything is ready. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataDir, layout, pids, log } = options;
  writeEndpoints(dataDir, endpointsOf(layout));
  writeRegionsFile(dataDir, layout);
  const own = identify(process.pid);
  if (own !== undefined) pids.write({ name: "platform", ...own, build: options.build, ready: null });
  const supervisor = new Supervisor({ ...options, logsDir: join(dataDir, "logs") });
  const started: { database?: KeptPostgres; host?: RunningHost } = {};
  const stop = async () => {
    const ends = {
      services: async () => started.host?.stop(),
      "processes around them": () => supervisor.stopAll(),
      "pods left by regions": () => stopLeftPods(dataDir),
      Postgres: async () => started.database?.stop(),
    };
    for (const [what, end] of Object.entries(ends)) {
      const began = performance.now();
      await end();
      log.info({ what, ms: Math.round(performance.now() - began) }, "stopped");
    }
    pids.remove("platform");
  };
  try {
    const regions = Promise.all(regionChildren(options).map((child) => supervisor.ensure(child)));
    regions.catch(() => undefined);
    started.database = await keepPostgres(() => startEmbeddedPostgres({ dataDir, durability: "full", log }), log);
    const [host] = await Promise.all([
      startPlatform(options, started.database.postgres),
      supervisor.ensure(rollbackChild(options)),
    ]);
    started.host = host;
    await regions;
    return { ...stackView(options, host, supervisor), stop };
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== "port.taken") await stop();
    else {
      await started.host?.stop();
      supervisor.release();
      started.database?.release();
      options.leaves(stop);
    }
    throw error;
  }
}

async function startPlatform(options: StackOptions, postgres: EmbeddedPostgres): Promise<RunningHost> {
  const { dataDir, log } = options;
  const config = readConfig({ ...process.env, ...platformEnv(options) }, modules);
  const url = `http://127.0.0.1:${options.layout.platformPort}`;
  const token = () => host?.tokens.get("admin");
  const admin = createClient({ url, token });
  const own = () => ({ folder: join(dataDir, "git"), url, dataDir, entry: options.entry, admin });
  let host: RunningHost | undefined;
  host = await runHost({
    modules,
    config,
    database: postgres,
    regions: options.layout.regions,
    log,
    signals: false,
    checks: [rollbackReadiness(rollbackUrl(options.layout))],
    routes: (app) => {
      gitRoutes(app, join(dataDir, "git"), registrar(own));
      watchProxyRoutes(app, rollbackUrl(options.layout));
      options.pageRoutes(app);
    },
  });
  return host;
}

function rollbackUrl(layout: Layout): string {
  return `http://127.0.0.1:${layout.rollbackPort}`;
}

function platformEnv({ dataDir, layout, noIsolation }: StackOptions): Record<string, string> {
  return {
    SLIPWAY_DATA: dataDir,
    SLIPWAY_PORT: String(layout.platformPort),
    SLIPWAY_ROLLBACK_CONTROLLER_URL: rollbackUrl(layout),
    SLIPWAY_GIT_ROOT: join(dataDir, "git"),
    // Where only this machine reaches the platform, a registry beside it is its user's own.
    SLIPWAY_EXTERNAL_LOOPBACK: process.env.SLIPWAY_EXTERNAL_LOOPBACK ?? String(process.env.SLIPWAY_HOST === undefined),
    // They are the machine's: a fresh data folder need not make them again.
    SLIPWAY_BASES: process.env.SLIPWAY_BASES ?? basesFolder(dataDir),
    ...(noIsolation ? { SLIPWAY_NO_ISOLATION: "true" } : {}),
  };
}

function rollbackChild({ dataDir, layout }: StackOptions): ChildSpec {
  return {
    name: "rollback-controller",
    role: "rollback-controller",
    config: {},
    graceMs: 10_000,
    env: {
      SLIPWAY_DATA: dataDir,
      SLIPWAY_PORT: String(layout.rollbackPort),
      // Whatever the platform is told: people reach it through the platform.
      SLIPWAY_HOST: "127.0.0.1",
      SLIPWAY_URL: `http://127.0.0.1:${layout.platformPort}`,
      SLIPWAY_ROLLBACK_CONTROLLER_URL: rollbackUrl(layout),
      SLIPWAY_REGIONS: join(dataDir, "regions.json"),
    },
  };
}

function regionChildren({ dataDir, layout }: StackOptions): readonly ChildSpec[] {
  const registryHost = `127.0.0.1:${layout.platformPort}`;
  const tokenFile = join(dataDir, "tokens", "viewer");
  return layout.regions.flatMap(({ name, kubeconfig, local }) => {
    if (local === undefined) return [];
    const { apiPort, meshPort, adminPort } = local;
    return [
      {
        name,
        role: "region",
        graceMs: 20_000,
        config: { dataDir, region: name, port: apiPort, registryHost, tokenFile },
      },
      {
        name: `mesh-${name}`,
        role: "mesh",
        graceMs: 10_000,
        config: { dataDir, region: name, kubeconfig, port: meshPort, adminPort },
      },
    ];
  });
}

function writeRegionsFile(dataDir: string, layout: Layout): void {
  const entries = layout.regions.map(({ local: _, ...entry }) => entry);
  writeFileSync(join(dataDir, "regions.json"), `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
}

function stackView(options: StackOptions, host: RunningHost, supervisor: Supervisor): Omit<Stack, "stop"> {
  const { dataDir, layout } = options;
  const urls = { "rollback-controller": rollbackUrl(layout) };
  const clients = new Map<string, Client>();
  return {
    url: host.url,
    layout,
    supervisor,
    as(name) {
      const known = clients.get(name);
      if (known !== undefined) return known;
      const client = createClient({ url: host.url, urls, token: host.tokens.get(name) });
      clients.set(name, client);
      return client;
    },
    tokenFile: (name) => join(dataDir, "tokens", name),
  };
}
