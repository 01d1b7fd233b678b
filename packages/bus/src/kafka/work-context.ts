import type { Logger } from "@slipway/sql";
import type { BatchHandler, Handler } from "../port.ts";

/** What the work on a partition is given. */
export type WorkContext = {
  readonly handler: Handler;
  readonly batch: BatchHandler | undefined;
  readonly log: Logger;
  readonly about: { readonly group: string; readonly topic: string; readonly partition: number };
  /** Fires when running handlers have been given enough time to end. */
  readonly hurry: AbortSignal;
  /** Of the membership in the group as it is now: fired while the group may have given the partition to another. */
  lease(): AbortSignal;
  /** Runs work when there is room for it in this process. */
  turn(work: () => Promise<void>): Promise<void>;
  /** True: fetch nothing more for now. */
  full(isFull: boolean): void;
};
