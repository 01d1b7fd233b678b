import { readdirSync } from "node:fs";
import { type PlatformService, platformServices, schemaOf } from "@slipway/client";
import type { RegionAccount } from "@slipway/cluster";
import { within } from "@slipway/kernel";
import { openDb, silentLogger } from "@slipway/sql";
import { redisTrouble } from "./adapters.ts";
import { type HostConfig, readConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { adminUrlOf, databaseOf, passwordsFolder, roleOf } from "./database.ts";
import type { ServiceModule } from "./module.ts";
import { type RegionEntry, regionsFor } from "./regions.ts";
import { adapterOf, isRedis } from "./schemes.ts";
import { namedServices, ownServices, serviceTrouble } from "./service-trouble.ts";
import { slackTrouble } from "./slack-trouble.ts";
import { tokensFolder } from "./start-module.ts";
import { prepareWith, startProblems } from "./start-problem.ts";
import { type AccessTables, findInstallation } from "./token-rows.ts";
import {
  busTrouble,
  executorTrouble,
  metricsDoubts,
  objectsTrouble,
  regionTrouble,
  rollbackTrouble,
} from "./trouble.ts";

const installationMs = 3_000;

/** One thing that services work with, and what is wrong with it. None: all is well. */
export type BackendCheck = {
  readonly name: string;
  /** A sentence each, `what is wrong: what to do` where there is no remedy beside them. */
  readonly problems: readonly string[];
  readonly remedy?: string;
  /** They may well be right: what cannot be told apart from what is wrong. */
  readonly isDoubt?: boolean;
};

/**
 * Looks at everything that the SLIPWAY_ variables of an environment name: what a service started with them would meet. What they leave to the
 * platform itself (`embedded:`, `file:`, `local:`) is not looked at. `others`, `modules`: of variables that a service reads by itself.
 */
export async function checkBackends(
  environment: Readonly<Record<string, string | undefined>>,
  others: (
    env: HostConfig["env"],
    place: Pick<HostConfig, "dataDir" | "prepared">,
  ) => Promise<readonly BackendCheck[]> = async () => [],
  modules: readonly Pick<ServiceModule, "config">[] = [],
): Promise<readonly BackendCheck[]> {
  let config: HostConfig;
  try {
    config = readConfig(environment, modules);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ variable, message, remedy = `correct ${variable.split(".")[0]}` }) => ({
      ...{ name: variable, remedy },
      problems: [message],
    }));
  }
  const named = checksOf(config)
    .filter(([, isNamed]) => isNamed)
    .map(async ([name, , look]) => ({ name, problems: await look() }));
  const doubts = config.regions.kind === "file" ? await metricsDoubts(config.regions.entries) : [];
  const doubted = doubts.length === 0 ? [] : [{ name: "metrics", problems: doubts, isDoubt: true }];
  return [...(await Promise.all(named)), ...doubted, ...(await others(config.env, config))];
}

type Look = readonly [name: string, named: boolean, look: () => Promise<readonly string[]>];

function checksOf(config: HostConfig): readonly Look[] {
  const { databaseUrl, busUrl, lockUrl, cache, objectsUrl, executorUrl, regions } = config;
  const { SLIPWAY_SLACK_WEBHOOK_URL: slack = "" } = config.env;
  const one = (problem: string | undefined) => (problem === undefined ? [] : [problem]);
  const entries = regions.kind === "file" ? regions.entries : [];
  const services = namedServices(config);
  const redis = redisTrouble(config);
  const { account, twoWays } = whose(config, entries);
  return [
    ["database", adapterOf("SLIPWAY_DATABASE_URL", databaseUrl) === "postgres", () => databaseTrouble(config)],
    [
      "bus",
      adapterOf("SLIPWAY_BUS_URL", busUrl) === "kafka",
      async () => one(await busTrouble(config, () => installationIn(config))),
    ],
    ["locks", isRedis("SLIPWAY_LOCK_URL", lockUrl), redis.locks],
    // One that is taken for the locks is looked at as theirs.
    ["cache", cache.urlIn === "SLIPWAY_CACHE_URL" && isRedis(cache.urlIn, cache.url), redis.cache],
    ["objects", adapterOf("SLIPWAY_OBJECTS_URL", objectsUrl) === "s3", async () => one(await objectsTrouble(config))],
    ["executor", adapterOf("SLIPWAY_EXECUTOR", executorUrl) === "kubernetes", () => executorTrouble(config)],
    [
      "regions",
      regions.kind === "file",
      () => regionTrouble(regionsFor(account, entries), config.environments, account),
    ],
    ["notifications", slack !== "", () => slackTrouble(slack)],
    ["services", services.length > 0, () => serviceTrouble(config, services)],
    ["regions, as the rollback-controller", twoWays, () => rollbackTrouble(entries)],
  ];
}

/**
 * Whose kubeconfigs the regions file names. In a pod of one service that service's token says it; elsewhere it is known where the rollback-controller has
 * others (`twoWays`), which are then looked at, too.
 */
function whose(
  config: HostConfig,
  entries: readonly RegionEntry[],
): { readonly account: RegionAccount | undefined; readonly twoWays: boolean } {
  const own = ownServices(config);
  const [deploys, lowers] = [own.includes("deployment-orchestrator"), own.includes("rollback-controller")];
  if (lowers && !deploys) return { account: "rollback-controller", twoWays: false };
  const twoWays = entries.some(({ rollback_controller: way }) => way !== undefined);
  return { account: twoWays || (deploys && !lowers) ? "orchestrator" : undefined, twoWays };
}

/** What its start would say: as the administrator, or where the database was prepared beforehand as each service whose token or password is there. */
async function databaseTrouble(config: HostConfig): Promise<readonly string[]> {
  // A login in it is the administrator's: the job that prepares is told, as services are, that they find all prepared.
  const prepares = !config.prepared || new URL(config.databaseUrl).username !== "";
  const asked = (services: readonly PlatformService[]) =>
    startProblems(
      databaseOf(config),
      { ...config, prepared: !prepares },
      services.map((name) => ({ name, schema: schemaOf[name] })),
    );
  if (prepares) return await asked(platformServices);
  const [tokens, passwords] = [tokensFolder(config), passwordsFolder(config)];
  const [owners, roles] = [namesIn(tokens), namesIn(passwords)];
  const here = platformServices.filter((name) => owners.includes(name) || roles.includes(roleOf(schemaOf[name])));
  if (here.length > 0) return await asked(here);
  return [
    `${tokens} has no token of a service: mount there what ${prepareWith} was given`,
    `${passwords} has no password of a role: mount there what ${prepareWith} was given`,
  ];
}

/** As whoever may log in here: nothing is wrong with the bus where nobody may, which is told of the database. */
async function installationIn(config: HostConfig): Promise<string | undefined> {
  if (adapterOf("SLIPWAY_DATABASE_URL", config.databaseUrl) !== "postgres") return undefined;
  const database = databaseOf(config);
  const roles = namesIn(passwordsFolder(config));
  const role = platformServices.map((name) => roleOf(schemaOf[name])).find((one) => roles.includes(one));
  const url = role === undefined ? adminUrlOf(database) : database.roleUrl(role);
  const db = openDb<AccessTables>({
    url,
    schema: "access",
    max: 1,
    applicationName: "slipway-check",
    log: silentLogger,
  });
  try {
    return await within(installationMs, findInstallation(db), () => undefined);
  } finally {
    await db.destroy();
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
