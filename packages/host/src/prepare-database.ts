import { answers, type Logger } from "@slipway/sql";
import type { HostConfig } from "./config.ts";
import { adminUrlOf, type HostDatabase, migrateAll, openAccess } from "./database.ts";
import { ensureTokens, people, readTokens, type TokenOwner } from "./first-tokens.ts";
import type { DatabaseState, ServiceModule } from "./module.ts";
import { tokensFolder } from "./start-module.ts";

export type PreparedDatabase = DatabaseState & {
  readonly tokens: ReadonlyMap<string, string>;
  /** Gives up preparing: `ready` rejects if it was not. */
  stop(): void;
};

const probeMs = 1_500;
const pauseMs = 500;

/**
 * Migrates and makes tokens. Where every module can start without a database and it does not answer, this is done later, as soon as it
 * does: until then tokens are those of the files. Rejects
 * when the database refuses, or is away and somebody needs it at the start.
 */
export async function prepareDatabase(
  database: HostDatabase,
  config: HostConfig,
  modules: readonly ServiceModule[],
  log: Logger,
): Promise<PreparedDatabase> {
  const owners = [...people, ...modules.map(({ name }) => ({ name, roles: ["service"] as const }))];
  const prepare = async () => {
    await migrateAll(database, modules, config.migrationsDir, log);
    return await makeTokens(database, config, owners, log);
  };
  const isThere = () => answers(adminUrlOf(database), probeMs);
  const tokens = await readTokens(tokensFolder(config), owners);
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
