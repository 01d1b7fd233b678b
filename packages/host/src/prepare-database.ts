import { answers, type Logger } from "@slipway/sql";
import type { HostConfig } from "./config.ts";
import { adminUrlOf, type HostDatabase, migrateAll, openAccess, roleOf } from "./database.ts";
import { ensureTokens, people, readTokens, type TokenOwner } from "./first-tokens.ts";
import type { DatabaseState, ServiceModule } from "./module.ts";
import { tokensFolder } from "./start-module.ts";
import { administratorProblems, startProblem } from "./start-problem.ts";

export type PreparedDatabase = DatabaseState & {
  readonly tokens: ReadonlyMap<string, string>;
  /** Gives up preparing: `ready` rejects if it was not. */
  stop(): void;
};

const probeMs = 1_500;
const pauseMs = 500;

/**
 * Migrates and makes tokens, or where that was done beforehand looks whether it was. Where every module can start without a database and it does not answer, this is done later, as soon as it
 * does: until then tokens are those of the files. Rejects
 * when the database refuses, or is away and somebody needs it at the start.
 */
export async function prepareDatabase(
  database: HostDatabase,
  config: HostConfig,
  modules: readonly ServiceModule[],
  log: Logger,
): Promise<PreparedDatabase> {
  const services = ownersOf(modules);
  // A service that prepares nothing has nobody's token but its own.
  const owners = config.prepared ? services : [...people, ...services];
  const tokens = await readTokens(tokensFolder(config), owners);
  const prepare = async () => {
    if (config.prepared) {
      const problem = await startProblem(database, config, modules);
      if (problem !== undefined) throw new Error(problem);
      return tokens;
    }
    return await prepareServices(database, config, modules, log);
  };
  const [first] = modules;
  const asWhom = () =>
    config.prepared && first !== undefined ? database.roleUrl(roleOf(first.schema)) : adminUrlOf(database);
  const isThere = () => answers(asWhom(), probeMs);
  // A service without a token has never been started: it has nothing to go on with.
  const canWait = modules.every(
    ({ name, startsWithoutDatabase }) => startsWithoutDatabase === true && tokens.has(name),
  );
  if (!canWait || (await isThere())) return { tokens: await prepare(), ...readyNow };

  log.warn({ services: modules.map(({ name }) => name) }, "the database is away: starting without it");
  const end = new AbortController();
  const state = { ready: false };
  const ready = later(async () => (await isThere()) && (await prepare()) && true, end.signal, log).then(() => {
    state.ready = true;
    log.info({}, "the database is back");
  });
  ready.catch(() => undefined);
  return { tokens, isReady: () => state.ready, ready, stop: () => end.abort(new Error("the host stops")) };
}

const readyNow = { isReady: () => true, ready: Promise.resolve(), stop: () => undefined };

/** Tries again until it is done. */
async function later(work: () => Promise<boolean>, signal: AbortSignal, log: Logger): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const done = await work().catch((error: unknown) => {
      log.warn({ err: error }, "the database could not be prepared yet");
      return false;
    });
    if (done) return;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

const ownersOf = (modules: readonly ServiceModule[]): readonly TokenOwner[] =>
  modules.map(({ name }) => ({ name, roles: ["service"] }));

/** Everything that services of `modules` need of the database, made once for all of them by somebody who may. */
export async function prepareServices(
  database: HostDatabase,
  config: HostConfig,
  modules: readonly ServiceModule[],
  log: Logger,
): Promise<ReadonlyMap<string, string>> {
  const services = ownersOf(modules);
  const problems = await administratorProblems(database, modules, (role) => database.roleUrl(role));
  if (problems.length > 0) throw new Error(problems.join("; "));
  await migrateAll(database, modules, config.migrationsDir, log);
  return await makeTokens(database, config, [...people, ...services], log);
}

async function makeTokens(
  database: HostDatabase,
  config: HostConfig,
  owners: readonly TokenOwner[],
  log: Logger,
): Promise<ReadonlyMap<string, string>> {
  const access = openAccess(database, log);
  try {
    return await ensureTokens(access, tokensFolder(config), owners, log);
  } finally {
    await access.destroy();
  }
}
