import type { Bus, SubscribeOptions } from "@slipway/bus";
import type { Cache } from "@slipway/cache";
import type { Client } from "@slipway/client";
import type { RegionAccount } from "@slipway/cluster";
import type { Executor, IsolationRefused, ProbeOptions } from "@slipway/executor";
import type { Clock, EnvironmentName } from "@slipway/kernel";
import type { Locks } from "@slipway/lock";
import type { MetricsSource } from "@slipway/metrics";
import type { Objects } from "@slipway/objects";
import type { Db, Logger } from "@slipway/sql";
import type { z } from "zod";
import type { ServiceApp } from "./app.ts";
import type { Figure } from "./figures.ts";
import type { RegionEntry } from "./regions.ts";

/**
 * One service as the host runs it, alone or beside others in one process:
 *
 *   config (environment) -> start(context) -> routes, subscriptions, ready, drain, close
 *
 * `C` is the service's own configuration, `DB` the tables of its schema.
 */
export type ServiceModule<C = unknown, DB = unknown> = {
  /** e.g. `build-service`. Also the name of its token and of `SLIPWAY_BUILD_SERVICE_URL`. */
  readonly name: string;
  /** Its Postgres schema, e.g. `build`. Migrated from `migrations/durable` and `migrations/<schema>` before start. */
  readonly schema: string;
  /** Parses the record of all SLIPWAY_ variables under their full names, e.g. `z.object({ SLIPWAY_SLACK_URL: z.url().optional() })`. */
  readonly config: z.ZodType<C>;
  /** Starts while the database is away too, and finds out by `context.database`. In a process where all modules can. Default false. */
  readonly startsWithoutDatabase?: boolean;
  /** What it works with beside database, bus and objects: a process of its own says in `/readyz` what is wrong there, as a warning. */
  readonly worksWith?: readonly ("locks" | "cache" | "regions" | "executor")[];
  /** Under which of a region's accounts it works there: `context.regions` lead to that one. */
  readonly regionAccount?: RegionAccount;
  start(context: ServiceContext<C, DB>): Promise<RunningService>;
};

/** A module of which only the outline is known: each has its own configuration and tables. */
export type AnyServiceModule = Omit<ServiceModule, "start"> & { start(context: never): Promise<RunningService> };

export type EnvironmentEntry = {
  readonly name: EnvironmentName;
  readonly production: boolean;
  readonly minimumBakeMs: number;
};

export type DatabaseState = {
  /** True: it was there at the start, or has come since. Says nothing of later. */
  isReady(): boolean;
  /** Resolves once it was there and is migrated. Rejects when the host stops before. */
  readonly ready: Promise<void>;
};

export type ServiceContext<C = unknown, DB = unknown> = {
  readonly config: C;
  /** Pool on the service's own schema and role. The host closes it after `close()`. */
  readonly db: Db<DB>;
  /** URL of the same role, for LISTEN and durable. */
  readonly dbUrl: string;
  readonly database: DatabaseState;
  readonly bus: Bus;
  readonly objects: Objects;
  /** False: nobody has named a store, and each of several processes would keep objects on a disk of its own. */
  readonly objectsShared: boolean;
  /** Deploy locks over `db`: of use only to the service that owns their tables. */
  readonly locks: Locks;
  /** For answers that may be so old, apart from those of other services. The caller closes it. */
  openCache(options: { readonly keepMs: number }): Cache;
  /** How versions in a region are doing, by the scheme of its `metrics_url`. Throws for a region that has none, or is not configured. */
  metrics(region: string): MetricsSource;
  /** Where build steps run, by the scheme of SLIPWAY_EXECUTOR. `options` are of use on this machine only. The caller closes it. */
  openExecutor(options: ProbeOptions): Promise<Executor | IsolationRefused>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Typed calls to other services under this service's own token. */
  readonly client: Client;
  /** This service's own token, for what is no typed call (pushing an image). Never log it. */
  readonly token: string;
  readonly urls: {
    /** Base URL of a service, without a slash at the end. Ask at the time of use: the own port is known once it listens. */
    of(service: string): string;
    /** Where people and webhooks reach the platform. */
    readonly public: string;
  };
  readonly regions: readonly RegionEntry[];
  /** In the order in which artifacts pass them. */
  readonly environments: readonly EnvironmentEntry[];
  readonly productionEnvironments: readonly EnvironmentName[];
  /** SLIPWAY_DATA, absolute. */
  readonly dataDir: string;
  /** True: what is shared (schemas, tokens, keys) was made beforehand, and a process that misses some says so and makes none. */
  readonly prepared: boolean;
};

export type Subscription = SubscribeOptions;

export type RunningService = {
  /** Called once, before the listener opens. */
  routes(app: ServiceApp): void | Promise<void>;
  readonly subscriptions?: readonly Subscription[];
  /** Why the service cannot work now, or undefined when it can. */
  ready(): Promise<string | undefined>;
  /** What is wrong with what the service works with and goes on without, a sentence each: a process of its own looks again and again, and warns in `/readyz`. */
  trouble?(): Promise<readonly string[]>;
  /** What it says of its work in `/metrics`, beside what each service says there. */
  readonly figures?: readonly Figure[];
  /** Forgets what this service has kept long enough. Called each hour, perhaps in several processes at once. */
  sweep?(): Promise<void>;
  /** New work is no longer accepted: finish or hand back what is under way. */
  drain?(): Promise<void>;
  close(): Promise<void>;
};
