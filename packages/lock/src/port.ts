import type { EnvironmentName, Epoch, Instant, RegionName, ServiceName } from "@slipway/kernel";

/** What one deployment at a time may change. */
export type Target = {
  readonly service: ServiceName;
  readonly environment: EnvironmentName;
  readonly region: RegionName;
};

export type AcquireRequest = {
  /** Who asks: a deployment's id. */
  readonly holder: string;
  /** One service in one environment, at least one region, each region once. */
  readonly targets: readonly Target[];
  /** Take the targets at once from whoever holds them; who waits for them goes on waiting. For rollback only. */
  readonly preempt?: boolean | undefined;
};

export type Acquired =
  | { readonly kind: "granted"; readonly epochs: Readonly<Record<RegionName, Epoch>> }
  /** `behind` holds a target or stands before us in the queue; `since` is when our ticket was drawn. */
  | { readonly kind: "waiting"; readonly behind: string; readonly since: Instant }
  /** A preempting holder took our targets; or we released (then `to` is ourselves) and asked again without preempt. */
  | { readonly kind: "lost"; readonly to: string };

export type TargetHolder = {
  readonly target: Target;
  /** 0 = never granted. */
  readonly epoch: Epoch;
  readonly holder: string | null;
  readonly since: Instant | null;
  /** Holders of waiting tickets for this target, first in line first. */
  readonly waiting: readonly string[];
};

/**
 * The exclusive right to change targets. Tickets are served first come first served per target, all targets of a ticket
 * or none; each grant raises the epoch of each of its targets, and an epoch never repeats or shrinks. A lock has no
 * lease: it is held until released or preempted, since safety comes from the epoch that the region's objects carry.
 */
export interface Locks {
  /**
   * Draws a ticket, or looks again at the one this holder has: the same answer, or progress. Ask again while waiting.
   * Asking for fewer targets than granted gives those epochs, and for what was given back in part the rest's; asking for others than the ticket's is an error.
   */
  acquire(request: AcquireRequest): Promise<Acquired>;
  /**
   * Gives back what the holder holds and takes it out of every queue; with `regions` only what it holds of these: the rest stays held, and whoever waits goes on
   * waiting for all of it. Repeats harmlessly.
   */
  release(holder: string, regions?: readonly RegionName[]): Promise<void>;
  /** The epoch of every target of a region that was ever granted, in one reading. */
  epochsIn(region: RegionName): Promise<readonly { readonly target: Target; readonly epoch: Epoch }[]>;
  holders(targets: readonly Target[]): Promise<readonly TargetHolder[]>;
  /**
   * From now on every grant of this target has a higher epoch than this one. For a database that was restored to an older state, where the
   * region still carries the grants that were lost. Never lowers an epoch; who holds or waits goes on.
   */
  skipTo(target: Target, epoch: number): Promise<void>;
  /** Who preempted this holder; undefined when nobody did. */
  lostTo(holder: string): Promise<string | undefined>;
}
