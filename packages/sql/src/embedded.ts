import type { Logger } from "./logger.ts";

export type EmbeddedOptions = {
  /** The platform's data folder: the cluster lives in `postgres/`, the passwords in `secrets/postgres/` beneath it. */
  readonly dataDir: string;
  /** "test" trades crash safety for speed and lets the server end with the process that started it. */
  readonly durability: "full" | "test";
  readonly log: Logger;
};

export type EmbeddedPostgres = {
  /** Of the superuser; for migrating only. Database: default `slipway`. */
  adminUrl(database?: string): string;
  /** Of a role, with its own password, which is made at the first asking. The role itself is made by `migrate`. */
  roleUrl(role: string, database?: string): string;
  readonly pid: number;
  /** True: the server ran already and was taken over. */
  readonly adopted: boolean;
  /** Fast shutdown; resolves when the server is gone. */
  stop(): Promise<void>;
};

export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  throw new Error(`not written yet: ${options.dataDir}`);
}
