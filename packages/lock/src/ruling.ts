import type { Instant, RegionName } from "@slipway/kernel";

/** A service in an environment: the unit that is locked while its tickets are looked at. */
export type Queue = { readonly service: string; readonly environment: string };

export type Ticket = {
  /** Drawn in order: the smaller one came first. */
  readonly id: number;
  readonly holder: string;
  readonly regions: readonly RegionName[];
  readonly state: "waiting" | "granted" | "lost" | "released";
  readonly lostTo: string | null;
  readonly drawnAt: Instant;
};

export type Ask = {
  readonly holder: string;
  readonly regions: readonly RegionName[];
  readonly preempt: boolean;
};

export type Ruling =
  /** The ticket was granted before; nothing changes. */
  | { readonly kind: "keep" }
  /** Every loser's ticket ends, all its targets become free, then the asker gets its own with new epochs. */
  | { readonly kind: "grant"; readonly losers: readonly Ticket[] }
  | { readonly kind: "wait"; readonly behind: string }
  | { readonly kind: "lost"; readonly to: string };

/**
 * Rules on a ticket of one queue (a service in an environment). `others` are the waiting and granted tickets of the
 * queue, the asker's own left out; `own` is the asker's, just drawn or older.
 *
 * A ticket is granted when none of its regions is held by another and none is asked for by a ticket drawn earlier: so
 * tickets that share a region go in order of drawing, nobody holds a part while waiting for the rest (no deadlock), and
 * nobody is overtaken for ever (no starvation). Preempting ends the tickets that hold a region; who waits, waits on.
 */
export function rule(own: Ticket, others: readonly Ticket[], ask: Ask): Ruling {
  if (own.state === "lost") return { kind: "lost", to: own.lostTo ?? "" };
  if (own.state === "released") return { kind: "lost", to: own.holder };
  assertSameTargets(own, ask);
  if (own.state === "granted") return { kind: "keep" };

  const inTheWay = others.filter((other) => overlaps(other, own));
  const holding = inTheWay.filter((other) => other.state === "granted");
  if (ask.preempt) return { kind: "grant", losers: holding };

  const earlier = inTheWay.filter((other) => other.state === "waiting" && other.id < own.id);
  const behind = holding[0] ?? earlier.at(-1);
  return behind === undefined ? { kind: "grant", losers: [] } : { kind: "wait", behind: behind.holder };
}

/** A granted ticket may be asked about in part (a region taken out of the plan), or as it was before a part of it was given back; otherwise the targets are the ticket's. */
function assertSameTargets(own: Ticket, ask: Ask): void {
  const within = ask.regions.every((region) => own.regions.includes(region));
  const covers = own.regions.every((region) => ask.regions.includes(region));
  if (own.state === "granted" ? !within && !covers : !within || !covers) {
    throw new Error(
      `${ask.holder} has a ticket for ${own.regions.join()} and may not use it for ${ask.regions.join()}`,
    );
  }
}

function overlaps(a: Ticket, b: Ticket): boolean {
  return a.regions.some((region) => b.regions.includes(region));
}
