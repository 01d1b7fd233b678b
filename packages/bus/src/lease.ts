import type { Logger } from "@slipway/sql";
import { advance, type BusDb, type Claim } from "./log-store.ts";

/** Short, so that another process takes over within two seconds of a kill. */
export const leaseMs = 1_200;
const heartbeatMs = 300;

export type Lease = {
  /** Fires when the claim is lost, or could not be extended for as long as it lasts. */
  readonly signal: AbortSignal;
  /** Records how far the partition has come; goes out with the next heartbeat or at the end. */
  progress(nextOffset: number): void;
  /** Marks the claim as lost. */
  lose(): void;
  /** Ends heartbeats, records progress and gives the partition back, unless the claim is lost. */
  end(): Promise<void>;
};

/**
 * Keeps a claim alive by heartbeats. The holder measures on its own monotonic clock and counts from before it asked, so
 * it believes the lease to be over no later than the database does.
 */
export function keepLease(db: BusDb, claim: Claim, claimedAtMs: number, log: Logger): Lease {
  const lost = new AbortController();
  let nextOffset = claim.nextOffset;
  let runsOut = expireAt(claimedAtMs + leaseMs);
  let beating: Promise<void> = Promise.resolve();
  let busy = false;

  function lose(): void {
    lost.abort(new Error("another process took over the partition"));
  }

  function expireAt(atMs: number): NodeJS.Timeout {
    return setTimeout(
      () => lost.abort(new Error("the lease of the partition ran out")),
      Math.max(0, atMs - performance.now()),
    );
  }

  async function beat(): Promise<void> {
    const askedAt = performance.now();
    try {
      if (!(await advance(db, claim, nextOffset, leaseMs))) return lose();
      clearTimeout(runsOut);
      runsOut = expireAt(askedAt + leaseMs);
    } catch (error) {
      log.warn({ err: error, ...about(claim) }, "the lease of a partition could not be extended");
    } finally {
      busy = false;
    }
  }

  const timer = setInterval(() => {
    if (busy || lost.signal.aborted) return;
    busy = true;
    beating = beat();
  }, heartbeatMs);

  return {
    signal: lost.signal,
    progress: (offset) => {
      nextOffset = offset;
    },
    lose,
    async end() {
      clearInterval(timer);
      await beating;
      clearTimeout(runsOut);
      if (!lost.signal.aborted) await advance(db, claim, nextOffset, null);
    },
  };
}

export function about({ group, topic, partition }: Claim): object {
  return { group, topic, partition };
}
