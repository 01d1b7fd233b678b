import type { Bus } from "@slipway/bus";
import type { Client } from "@slipway/client";
import type { Regions } from "@slipway/cluster";
import type { Durable, DurableMachine } from "@slipway/durable";
import type { EnvironmentEntry, RegionEntry } from "@slipway/host";
import type { Clock } from "@slipway/kernel";
import type { Locks } from "@slipway/lock";
import type { SecretStore } from "@slipway/secrets";
import type { Db } from "@slipway/sql";
import type { Behind } from "./behind.ts";
import type { Command } from "./domain/command.ts";
import type { Deployment } from "./domain/deployment.ts";
import type { Input } from "./domain/input.ts";
import type { KeptViews } from "./kept-views.ts";
import type { Tables } from "./store.ts";

/** What routes and subscriptions work with. */
export type Service = {
  readonly db: Db<Tables>;
  readonly durable: Durable;
  readonly machine: DurableMachine<Deployment, Input, Command>;
  readonly regions: Regions<RegionEntry>;
  readonly locks: Locks;
  readonly client: Client;
  readonly bus: Pick<Bus, "publish">;
  readonly secrets: SecretStore;
  readonly clock: Clock;
  readonly behind: Behind;
  readonly views: KeptViews;
  readonly environments: readonly EnvironmentEntry[];
  readonly settleMs: number;
};
