import type { EmbeddedPostgres, Logger } from "@slipway/sql";
import { identify, isAlive } from "./identity.ts";

export type KeptPostgres = {
  readonly postgres: EmbeddedPostgres;
  /** Looks after it no more: it runs on. */
  release(): void;
  /** Fast shutdown, for good. */
  stop(): Promise<void>;
};

const lookEveryMs = 500;

/**
 * Starts (or takes over) the Postgres of the data folder and starts it again when it dies. Sockets and passwords stay, so that everybody who
 * was connected finds it again by the same URL.
 */
export async function keepPostgres(start: () => Promise<EmbeddedPostgres>, log: Logger): Promise<KeptPostgres> {
  const postgres = await start();
  let running = postgres;
  let identity = identify(postgres.pid);
  let starting: Promise<void> | undefined;
  const again = async () => {
    log.warn({ pid: running.pid }, "Postgres ended; it is started again");
    try {
      running = await start();
      identity = identify(running.pid);
    } catch (error) {
      log.error({ err: error }, "Postgres could not be started again");
    }
  };
  const timer = setInterval(() => {
    if (starting !== undefined || (identity !== undefined && isAlive(identity))) return;
    starting = again().finally(() => {
      starting = undefined;
    });
  }, lookEveryMs);
  const release = () => clearInterval(timer);
  return {
    postgres,
    release,
    async stop() {
      release();
      await starting;
      await running.stop();
    },
  };
}
