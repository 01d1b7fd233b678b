import { callees, platformServices } from "@slipway/client";
import { within } from "@slipway/kernel";
import { type Db, isReadOnly, type Logger } from "@slipway/sql";
import { redisTrouble } from "./adapters.ts";
import type { HostConfig } from "./config.ts";
import type { HostDatabase } from "./database.ts";
import { misspeltWarnings } from "./known-variables.ts";
import type { RunningService, ServiceModule } from "./module.ts";
import { type RegionEntry, regionsFor } from "./regions.ts";
import { serviceTrouble } from "./service-trouble.ts";
import type { StartedModule } from "./start-module.ts";
import { startProblems } from "./start-problem.ts";
import { type AccessTables, findToken } from "./token-rows.ts";
import { parseToken } from "./tokens.ts";
import { executorTrouble, type RegionLooks, regionLooks } from "./trouble.ts";

/** Of a started service what is needed here. */
type WatchedModule = Pick<StartedModule, "name" | "db"> & { readonly running: Pick<RunningService, "trouble"> };

export type BackendWatch = {
  /** What was found wrong the last time, by the service that works with it. */
  warnings(service: string): readonly string[];
  /** By region: whether the service's account was let in the last time, by which token. Empty where it works in none, or nobody has looked yet. */
  regions(service: string): RegionLooks["looks"];
  /** From now on its database is looked at over its own connections: only what is wrong there takes one more, to say what. */
  started(module: WatchedModule): void;
  stop(): void;
};

/** While something is wrong it is looked at sooner: what was mended is to be seen soon. */
const intervals = { everyMs: 30_000, againMs: 5_000 };
/** A database that hangs is one that is away. */
const databaseMs = 3_000;

export const noBackendWatch: BackendWatch = {
  warnings: () => [],
  regions: () => new Map(),
  started: () => undefined,
  stop: () => undefined,
};

/**
 * Looks again and again at what a service works with and goes on without: a database that is away, a Redis before the locks, single regions. What is
 * wrong there keeps no process from its other work, so that it is a warning of `/readyz` and no reason to take the process out of service.
 */
export function watchBackends(
  modules: readonly ServiceModule[],
  world: {
    readonly config: HostConfig;
    readonly database: HostDatabase;
    readonly regions: readonly RegionEntry[];
    readonly tokens: ReadonlyMap<string, string>;
    readonly log: Logger;
  },
  { everyMs, againMs }: { readonly everyMs: number; readonly againMs: number } = intervals,
): BackendWatch {
  const found = new Map<string, readonly string[]>();
  const regions = new Map<string, RegionLooks["looks"]>();
  const { config, log } = world;
  const started = new Map<string, WatchedModule>();
  let stopped = false;

  async function look(): Promise<void> {
    for (const module of modules) {
      const { regionAccount: account } = module;
      const looks = {
        ...redisTrouble(config),
        regions: async () => {
          const found = await regionLooks(regionsFor(account, world.regions), config.environments, account);
          regions.set(module.name, found.looks);
          return found.problems;
        },
        executor: () => executorTrouble(config),
      };
      const trouble = await Promise.all([
        databaseTrouble(module),
        ...(module.worksWith ?? []).map((what) => looks[what]()),
        serviceTrouble(config, calleesOf(module)),
        misspeltWarnings(config.env),
        started.get(module.name)?.running.trouble?.() ?? [],
      ]);
      // One Redis may be there for two things.
      const all = [...new Set(trouble.flat())];
      tell(module.name, all);
      found.set(module.name, all);
    }
  }

  async function databaseTrouble(module: ServiceModule): Promise<readonly string[]> {
    const db = started.get(module.name)?.db;
    const token = parseToken(world.tokens.get(module.name) ?? "");
    if (db !== undefined && token !== undefined && (await isWell(db as Db<AccessTables>, token.kid))) return [];
    return await startProblems(world.database, config, [module]);
  }

  /** Once as it appears, and once as all is well again. */
  function tell(service: string, now: readonly string[]): void {
    const before = found.get(service) ?? [];
    for (const warning of now) if (!before.includes(warning)) log.warn({ service, warning }, "not all is well");
    if (now.length === 0 && before.length > 0) log.info({ service }, "all is well again");
  }

  const run = () => {
    look()
      .catch((error: unknown) => log.warn({ err: error }, "the backends could not be looked at"))
      .finally(() => {
        const wrong = [...found.values()].some((warnings) => warnings.length > 0);
        if (!stopped) timer = setTimeout(run, wrong ? againMs : everyMs).unref();
      });
  };
  let timer: NodeJS.Timeout | undefined;
  run();
  return {
    warnings: (service) => found.get(service) ?? [],
    regions: (service) => regions.get(service) ?? new Map(),
    started: (module) => started.set(module.name, module),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

const calleesOf = ({ name }: ServiceModule): readonly string[] =>
  platformServices.filter((service) => service === name).flatMap((service) => callees[service]);

/** Whether the database answers, takes writes, and knows the service's token. */
async function isWell(db: Db<AccessTables>, kid: string): Promise<boolean> {
  try {
    const look = async () => {
      const row = await findToken(db, kid);
      return row !== undefined && row.revoked_at === null && !(await isReadOnly(db));
    };
    return await within(databaseMs, look(), () => false);
  } catch {
    return false;
  }
}
