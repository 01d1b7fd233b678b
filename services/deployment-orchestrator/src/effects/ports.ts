import type { Bus } from "@slipway/bus";
import type { Client } from "@slipway/client";
import type { Regions } from "@slipway/cluster";
import type { AuditEntry, CommandContext, Outcome } from "@slipway/durable";
import type { Clock, DeploymentId, VersionName } from "@slipway/kernel";
import type { Locks } from "@slipway/lock";
import type { MetricsSource } from "@slipway/metrics";
import type { SecretStore } from "@slipway/secrets";
import type { Behind } from "../behind.ts";
import type { Deployment } from "../domain/deployment.ts";
import type { Input } from "../domain/input.ts";

/** What the effects reach: the only place of this service that touches ports. */
export type Ports = {
  readonly regions: Regions;
  readonly locks: Locks;
  readonly bus: Bus;
  readonly client: Client;
  readonly secrets: Pick<SecretStore, "read" | "everyValue">;
  readonly clock: Clock;
  /** The counters of a region's mesh, by which a drain knows that a version has no requests any more. */
  metrics(region: string): MetricsSource;
  readonly behind: Behind;
  /** Sends a fact to another deployment. */
  send(id: string, input: (now: Input["now"]) => Input): Promise<void>;
  /** Ids of deployments in these phases that share a target with this one, itself left out. */
  sharing(state: Deployment, phases: readonly Deployment["phase"][]): Promise<readonly string[]>;
  /** The deployment that took this one's version back in its environment after this one was asked for. */
  takenBackBy(state: Deployment): Promise<DeploymentId | undefined>;
  /** Appends an audit entry, once for each key. */
  audit(key: string, entry: AuditEntry): Promise<void>;
  /** What deployments that are watched at 100% and share a target with this one would be rolled back to. */
  wayBack(state: Deployment): Promise<readonly VersionName[]>;
};

export type Context = CommandContext<Deployment>;
export type Result = Promise<Outcome<Input>>;

/** The deployment as it stands; an effect without its row has nothing to do. */
export async function currentState(ctx: Context): Promise<Deployment> {
  const row = await ctx.current();
  if (row === undefined) throw new Error(`${ctx.id} has no row`);
  return row.state;
}
