import type { Logger } from "@slipway/sql";
import type { HostConfig } from "./config.ts";
import type { HostDatabase } from "./database.ts";
import type { ServiceModule } from "./module.ts";
import type { RegionEntry } from "./regions.ts";
import { startProblem } from "./start-problem.ts";
import { lockTrouble, regionTrouble } from "./trouble.ts";

export type BackendWatch = {
  /** What was found wrong the last time, by the service that works with it. */
  warnings(service: string): readonly string[];
  stop(): void;
};

const everyMs = 30_000;
/** While something is wrong: what was mended is to be seen soon. */
const againMs = 5_000;

export const noBackendWatch: BackendWatch = { warnings: () => [], stop: () => undefined };

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
    readonly log: Logger;
  },
): BackendWatch {
  const found = new Map<string, readonly string[]>();
  const { config, log } = world;
  let stopped = false;

  async function look(): Promise<void> {
    const needs = (what: "locks" | "regions") => modules.some(({ worksWith }) => worksWith?.includes(what) === true);
    const [locks, regions] = await Promise.all([
      needs("locks") ? lockTrouble(config) : [],
      needs("regions") ? regionTrouble(world.regions, config.environments) : [],
    ]);
    for (const module of modules) {
      const database = await startProblem(world.database, config, [module]);
      const own = { locks, regions };
      const all = [
        ...(database === undefined ? [] : [database]),
        ...(module.worksWith ?? []).flatMap((what) => own[what]),
      ];
      tell(module.name, all);
      found.set(module.name, all);
    }
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
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
