import type { Logger } from "@slipway/sql";
import { type Claim, leaseMs, renewLeases } from "./lease.ts";
import type { DurableDb } from "./tables.ts";

/** A command that this process performs. */
export type Flight = {
  claim: Claim;
  readonly controller: AbortController;
  readonly launchedMs: number;
  leasedUntilMs: number;
};

export type Flights = {
  readonly size: number;
  /** Those that take a slot: all but the urgent ones. */
  readonly slotsTaken: number;
  /** When the urgent one that flies and was launched last was launched, by the monotonic clock. */
  readonly youngestUrgentMs: number | undefined;
  /** Lets the claim fly until `fly` is settled, and then calls `landed`. */
  launch(claim: Claim, leasedUntilMs: number, fly: (flight: Flight) => Promise<void>, landed: () => void): void;
  /** Remembers a round of claiming while it lasts, and answers what it answers. */
  during<T>(round: Promise<T>): Promise<T>;
  /** Resolves when the round of claiming that may be under way has launched what it claimed. */
  launched(): Promise<void>;
  /** Renews all leases once, and aborts what lost its lease or its point. */
  keep(db: DurableDb): Promise<void>;
  abortAll(reason: string): void;
  /** Resolves when nothing flies any more, or after the time. */
  landed(withinMs: number): Promise<void>;
};

export function createFlights(holder: string, log: Logger): Flights {
  const flights = new Map<number, Flight>();
  let round: Promise<unknown> = Promise.resolve();

  async function renew(db: DurableDb): Promise<void> {
    const askedAt = performance.now();
    const renewed = await renewLeases(db, holder, [...flights.keys()]);
    for (const { seq, attempts, superseded } of renewed) {
      const flight = flights.get(seq);
      if (flight === undefined || flight.claim.lease.attempt !== attempts) continue;
      flight.leasedUntilMs = askedAt + leaseMs;
      if (superseded) flight.controller.abort("superseded");
    }
  }

  return {
    get size() {
      return flights.size;
    },
    get slotsTaken() {
      return [...flights.values()].filter(({ claim }) => !claim.urgent).length;
    },
    get youngestUrgentMs() {
      const urgent = [...flights.values()].filter(({ claim }) => claim.urgent);
      return urgent.length === 0 ? undefined : Math.max(...urgent.map(({ launchedMs }) => launchedMs));
    },
    launch(claim, leasedUntilMs, fly, landed) {
      const { seq } = claim.lease;
      const known = flights.get(seq);
      if (known !== undefined) {
        // Our own lease ran out while we still perform it (the database was away): it goes on under the new lease.
        known.claim = claim;
        known.leasedUntilMs = leasedUntilMs;
        return;
      }
      const launchedMs = performance.now();
      const flight: Flight = { claim, controller: new AbortController(), launchedMs, leasedUntilMs };
      flights.set(seq, flight);
      void fly(flight).finally(() => {
        flights.delete(seq);
        landed();
      });
    },
    async during(claiming) {
      round = claiming;
      return await claiming;
    },
    async launched() {
      await round.catch(() => {});
    },
    async keep(db) {
      if (flights.size > 0)
        await renew(db).catch((error: unknown) => log.warn({ err: error }, "leases could not be renewed"));
      // A holder stops itself on its own monotonic clock: it needs no answer for that.
      for (const flight of flights.values())
        if (performance.now() > flight.leasedUntilMs) flight.controller.abort("the lease ran out");
    },
    abortAll(reason) {
      for (const { controller } of flights.values()) controller.abort(reason);
    },
    async landed(withinMs) {
      const deadline = performance.now() + withinMs;
      while (flights.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
}
