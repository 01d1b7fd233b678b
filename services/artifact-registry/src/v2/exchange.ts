import type { Clock } from "@slipway/kernel";
import type { Objects } from "@slipway/objects";
import type { Db, Logger } from "@slipway/sql";
import type { Tables } from "../store/tables.ts";

/** What the handlers of /v2/ stand on. */
export type Registry = {
  readonly db: Db<Tables>;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly log: Logger;
  /** Largest blob that is taken, in bytes. */
  readonly maxBlobBytes: number;
};

/** A request as the handlers see it: HTTP without the framework. */
export type Exchange = {
  readonly method: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** Name of the caller's token. */
  readonly by: string;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
};
