import { resolve } from "node:path";
import { platformServices } from "@slipway/client";
import { DurationMs, settingText } from "@slipway/contracts";
import { z } from "zod";
import { type CacheAt, refuseUrl } from "./adapters.ts";
import { ConfigError, type ConfigProblem, problemsOf } from "./config-error.ts";
import { fromFiles } from "./config-files.ts";
import { environmentsOf, environmentVariables, productionProblems } from "./environments.ts";
import { hiddenPassword } from "./hidden-password.ts";
import type { EnvironmentEntry, ServiceModule } from "./module.ts";
import { type RegionEntry, RegionsFileError, regionsAsked } from "./regions.ts";
import { platformRoot } from "./root.ts";
import { isEmbedded, isRedis, refuseScheme, type UrlKind } from "./schemes.ts";
import { urlVariable } from "./url-variable.ts";

/** The variables that every process reads; a service has more of its own. */
export const hostVariables = (): readonly string[] => Object.keys(Variables.shape);

/** What the host itself reads from SLIPWAY_ variables. `env` holds all of them for the modules' own schemas. */
export type HostConfig = {
  /** Absolute. */
  readonly dataDir: string;
  /** 0 = any free port. Undefined: the first free one of 7400 to 7419. */
  readonly port: number | undefined;
  readonly host: string;
  readonly publicUrl: string | undefined;
  readonly databaseUrl: string;
  /** Schemas, roles and tokens were prepared beforehand: this process changes none of them, and makes no secrets of its own. */
  readonly prepared: boolean;
  readonly busUrl: string;
  readonly lockUrl: string;
  readonly cache: CacheAt;
  readonly objectsUrl: string;
  readonly executorUrl: string;
  readonly migrationsDir: string;
  readonly regions: { readonly kind: "local" } | { readonly kind: "file"; readonly entries: readonly RegionEntry[] };
  readonly environments: readonly EnvironmentEntry[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly stopWithinMs: number;
  /** Of events that everybody has read. */
  readonly keepEventsMs: number;
  readonly env: Readonly<Record<string, string>>;
};

const ownUrl = (kind: UrlKind) =>
  z.string().superRefine((value, context) => {
    const refusal = hiddenPassword(kind, value) ?? refuseScheme(kind, value) ?? refuseUrl(kind, value);
    if (refusal !== undefined) context.addIssue({ code: "custom", message: refusal });
  });
const url = (kind: UrlKind, fallback: string) => ownUrl(kind).default(fallback);

const Variables = z.object({
  SLIPWAY_DATA: z.string().optional(),
  SLIPWAY_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  SLIPWAY_HOST: z.string().default("127.0.0.1"),
  SLIPWAY_URL: z.url({ protocol: /^https?$/ }).optional(),
  SLIPWAY_DATABASE_URL: url("SLIPWAY_DATABASE_URL", "embedded:"),
  SLIPWAY_PREPARED: z.stringbool().default(false),
  SLIPWAY_BUS_URL: url("SLIPWAY_BUS_URL", "postgres:"),
  SLIPWAY_LOCK_URL: url("SLIPWAY_LOCK_URL", "postgres:"),
  SLIPWAY_CACHE_URL: ownUrl("SLIPWAY_CACHE_URL").optional(),
  SLIPWAY_OBJECTS_URL: url("SLIPWAY_OBJECTS_URL", "file:"),
  SLIPWAY_EXECUTOR: url("SLIPWAY_EXECUTOR", "machine:"),
  SLIPWAY_MIGRATIONS: z.string().optional(),
  SLIPWAY_REGIONS: z.string().default("local:"),
  ...environmentVariables,
  SLIPWAY_MINIMUM_BAKE: DurationMs.optional(),
  SLIPWAY_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
  SLIPWAY_STOP_WITHIN: DurationMs.default(20_000),
  SLIPWAY_KEEP_EVENTS: DurationMs.default(30 * 86_400_000),
});
/** Where other services answer. */
const Addresses = z.object(
  Object.fromEntries(
    platformServices.map((service) => [
      urlVariable(service),
      z
        .url({ protocol: /^https?$/ })
        .refine(
          (url) => !URL.canParse(url) || new URL(url).username === "",
          "has a user, whom nobody is sent: leave it out",
        )
        .optional(),
    ]),
  ),
);
type Variables = z.output<typeof Variables>;

/**
 * Reads SLIPWAY_ variables of an environment; empty ones count as unset. The schemas of the modules are checked too, so that
 * ConfigError names every problem at once.
 */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  modules: readonly Pick<ServiceModule, "config">[] = [],
): HostConfig {
  const problems: ConfigProblem[] = [];
  const env = fromFiles(slipwayVariables(environment), problems);
  const parsed = Variables.safeParse(env, { error: settingText });
  if (!parsed.success) problems.push(...problemsOf(parsed.error));
  problems.push(...problemsOf(Addresses.safeParse(env, { error: settingText }).error));
  problems.push(...productionProblems(env));
  for (const module of modules) {
    const own = module.config.safeParse(env, { error: settingText });
    if (!own.success) problems.push(...problemsOf(own.error));
  }
  const regions = readRegions(env.SLIPWAY_REGIONS ?? "local:", problems);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return { ...hostConfig(parsed.data), regions, env };
}

/** The record that a module's own schema parses: every SLIPWAY_ variable that has a value. */
function slipwayVariables(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[0].startsWith("SLIPWAY_") && entry[1] !== undefined && entry[1] !== "",
  );
  return Object.fromEntries(entries);
}

function hostConfig(variables: Variables): Omit<HostConfig, "regions" | "env"> {
  const root = platformRoot();
  return {
    dataDir: resolve(variables.SLIPWAY_DATA ?? resolve(root, ".slipway")),
    port: variables.SLIPWAY_PORT,
    host: variables.SLIPWAY_HOST,
    publicUrl: variables.SLIPWAY_URL?.replace(/\/+$/, ""),
    databaseUrl: variables.SLIPWAY_DATABASE_URL,
    prepared: variables.SLIPWAY_PREPARED,
    busUrl: variables.SLIPWAY_BUS_URL,
    lockUrl: variables.SLIPWAY_LOCK_URL,
    cache: cacheAt(variables),
    objectsUrl: variables.SLIPWAY_OBJECTS_URL,
    executorUrl: variables.SLIPWAY_EXECUTOR,
    migrationsDir: resolve(variables.SLIPWAY_MIGRATIONS ?? resolve(root, "migrations")),
    environments: environmentsOf(variables, minimumBakeOf(variables)),
    logLevel: variables.SLIPWAY_LOG_LEVEL,
    stopWithinMs: variables.SLIPWAY_STOP_WITHIN,
    keepEventsMs: variables.SLIPWAY_KEEP_EVENTS,
  };
}

/**
 * Memory is right where one process runs each service, which is so of an embedded database. Several processes of a service need one place for all, or a reader may not
 * find what was changed through another: they have the Redis that is there for the locks, or none.
 */
function cacheAt(variables: Variables): CacheAt {
  const { SLIPWAY_CACHE_URL: own, SLIPWAY_LOCK_URL: lock, SLIPWAY_DATABASE_URL: database } = variables;
  if (own !== undefined) return { url: own, urlIn: "SLIPWAY_CACHE_URL" };
  if (isEmbedded(database)) return { url: "memory:", urlIn: "SLIPWAY_CACHE_URL" };
  if (isRedis("SLIPWAY_LOCK_URL", lock)) return { url: lock, urlIn: "SLIPWAY_LOCK_URL" };
  return { url: "none:", urlIn: "SLIPWAY_CACHE_URL" };
}

/** A production environment bakes 10 minutes at least, unless the platform is a laptop's or is told otherwise. */
function minimumBakeOf(variables: Variables): number {
  const embedded = isEmbedded(variables.SLIPWAY_DATABASE_URL) || variables.SLIPWAY_REGIONS === "local:";
  return variables.SLIPWAY_MINIMUM_BAKE ?? (embedded ? 0 : 600_000);
}

function readRegions(value: string, problems: ConfigProblem[]): HostConfig["regions"] {
  try {
    return regionsAsked(value);
  } catch (error) {
    if (!(error instanceof RegionsFileError)) throw error;
    problems.push({ variable: "SLIPWAY_REGIONS", message: error.message, remedy: error.remedy });
    return { kind: "local" };
  }
}
