import type { Durable, DurableMachine } from "@slipway/durable";
import type { Clock } from "@slipway/kernel";
import type { Db } from "@slipway/sql";
import type { Watch, WatchCommand, WatchInput } from "./domain/watch.ts";
import type { Tables } from "./store.ts";
import type { Watchers } from "./watchers.ts";

/** What routes and subscriptions work with. */
export type Service = {
  readonly db: Db<Tables>;
  readonly durable: Durable;
  readonly machine: DurableMachine<Watch, WatchInput, WatchCommand>;
  readonly watchers: Watchers;
  readonly clock: Clock;
};
