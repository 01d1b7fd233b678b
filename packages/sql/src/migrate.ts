import type { Logger } from "./logger.ts";

export type MigrateOptions = {
  readonly adminUrl: string;
  readonly schema: string;
  /** Folders with `NNNN_*.sql`, run in this order. A folder that does not exist counts as empty. */
  readonly directories: readonly string[];
  readonly log: Logger;
  /** With what the service will log in: its role gets the password of this url. Without it the role has no password. */
  readonly roleUrl?: string;
};

export async function migrate(options: MigrateOptions): Promise<void> {
  throw new Error(`not written yet: ${options.schema}`);
}
