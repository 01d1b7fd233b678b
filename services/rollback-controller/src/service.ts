import type { Durable, DurableMachine } from "@slipway/durable";
import type { Clock } from "@slipway/kernel";
import type { Watch, WatchCommand, WatchInput } from "./domain/watch.ts";
import type { Keeper } from "./keeper.ts";
import type { NewsQueue } from "./news-queue.ts";
import type { StoredWatches } from "./stored-watches.ts";
import type { Watchers } from "./watchers.ts";

/** What routes and subscriptions work with. */
export type Service = {
  readonly durable: Durable;
  readonly machine: DurableMachine<Watch, WatchInput, WatchCommand>;
  readonly watchers: Watchers;
  readonly keeper: Keeper;
  readonly stored: StoredWatches;
  readonly queue: NewsQueue;
  readonly clock: Clock;
};
